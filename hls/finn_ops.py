"""The ONNX and QONNX operators that a graph may hold, and where."""

QONNX_DOMAIN = "qonnx.custom_op.general"
DOMAINS = (QONNX_DOMAIN, "onnx.brevitas", "finn.custom_op.general", "finn")

QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant")
ACTIVATIONS = ("BipolarQuant", "Quant", "MultiThreshold")
CUSTOM = (*QUANTIZERS, "MultiThreshold")
AFFINE = ("Add", "Sub", "Mul", "Div", "BatchNormalization")
SHAPING = ("Flatten", "Reshape", "Identity", "Unsqueeze", "Squeeze", "Transpose")
PRODUCTS = ("MatMul", "Conv")
CLIPS = ("Relu", "Clip")
# Rising through 0: in front of a sign they change nothing.
RISING = ("Clip", "Tanh", "LeakyRelu", "Elu", "Selu", "Softsign")
SUPPORTED = (
    *SHAPING,
    *AFFINE,
    *("BipolarQuant", "Quant", "MatMul", "Gemm", "Conv", "Pad", "MaxPool", "Concat", "Neg"),
    *("MultiThreshold", "Relu", "Dropout", "Cast"),
    *RISING,
)

# {operator: (fewest inputs, most inputs, most outputs)}
KNOWN = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "MatMul"), (2, 2, 1)),
    **dict.fromkeys(
        ("Flatten", "Identity", "Transpose", "Neg", "Cast", "Relu", *RISING), (1, 1, 1)
    ),
    **dict.fromkeys(("Unsqueeze", "Squeeze"), (1, 2, 1)),
    "Clip": (1, 3, 1),
    "Reshape": (2, 2, 1),
    "Dropout": (1, 3, 2),
    "Concat": (1, 64, 1),
    "BatchNormalization": (5, 5, 5),
    "Pad": (1, 4, 1),
    "MaxPool": (1, 1, 2),
    "Gemm": (2, 3, 1),
    "Conv": (2, 3, 1),
    "Quant": (4, 4, 1),
    "IntQuant": (4, 4, 1),
    "BipolarQuant": (2, 2, 1),
    "MultiThreshold": (2, 2, 1),
    # Constants, as exporters compute shapes and parameters.
    "Constant": (0, 0, 1),
    "ConstantOfShape": (1, 1, 1),
    "Shape": (1, 1, 1),
    "Gather": (2, 2, 1),
    "Slice": (1, 5, 1),
    "Reciprocal": (1, 1, 1),
    # Behind the scores, where they cannot change the class.
    **dict.fromkeys(("Softmax", "LogSoftmax", "Exp", "Log", "Sigmoid", "Sqrt", "Abs"), (1, 1, 1)),
    **dict.fromkeys(("Softplus", "ArgMax"), (1, 1, 1)),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), (1, 2, 1)),
    "TopK": (1, 2, 2),
}
