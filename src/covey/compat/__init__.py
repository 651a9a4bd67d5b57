"""The interfaces of other libraries over covey, for scripts that were written for them."""
