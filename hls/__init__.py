"""Turn QONNX into an integer network, and that into streaming RTL."""
