"""Write a trained network as QONNX and check it against torch."""
