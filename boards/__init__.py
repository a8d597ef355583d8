"""Boards: their data, shells, bitstream flows and host driver."""
