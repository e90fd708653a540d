"""The commands: ``syncd``, the daemon, and ``syncctl``, which talks to it."""
