"""The ways from a core in its shell to a bitstream: one module each, all with the same three names."""
