"""The demo: every channel simulated, a daemon, a first sync, and what came of it."""
