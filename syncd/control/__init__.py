"""The control socket: who may ask, what may be asked, and how the answer is written."""
