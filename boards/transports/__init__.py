"""The ways from packed images to results; each module has `open_transport`."""
