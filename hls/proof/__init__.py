"""Every neuron of a generated core, proven to be what its integers say, for all inputs."""

FORMAT = "sbnn-proof-1"
REPORT = "report/proof.json"  # of a build folder
