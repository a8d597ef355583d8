"""Every neuron of a generated core proven to be what its integers say, for all inputs, and their wiring."""

FORMAT = "sbnn-proof-2"
REPORT = "report/proof.json"  # of a build folder
