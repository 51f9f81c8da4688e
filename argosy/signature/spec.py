"""The signature of a model version: what goes in, what comes out, and how both map to ONNX tensors.

The signature is the one source for the Pydantic model, JSON Schema, OpenAPI and every protocol. A *feature* is what a
caller names; a *tensor* is what the ONNX graph takes. Several scalar features may be columns of one tensor (a design
matrix), or each may be a tensor of its own (a pipeline over a data frame).
"""

from collections import Counter, defaultdict
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Scalar = bool | int | float | str
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MAX_TOKENS = 32_768


class Task(StrEnum):
    """What the model does; it decides the shape of a prediction."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    CLUSTERING = "clustering"
    OUTLIER_DETECTION = "outlier_detection"
    OTHER = "other"


class DType(StrEnum):
    """Element types of ONNX tensors that Argosy serves, by their NumPy names."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    BOOL = "bool"
    STRING = "string"

    @property
    def is_float(self) -> bool:
        """Whether the type has fractions (and so can hold a missing value as NaN)."""
        return self.value.startswith("float")

    @property
    def is_integer(self) -> bool:
        """Whether the type holds whole numbers."""
        return self.value.startswith(("int", "uint"))


class Role(StrEnum):
    """What an output means to the caller."""

    LABEL = "label"
    PROBABILITIES = "probabilities"
    SCORE = "score"
    VALUE = "value"
    TENSOR = "tensor"


class Pooling(StrEnum):
    """How the vectors of a text's tokens become one: their mean, the first one, or none where the model did it."""

    MEAN = "mean"
    CLS = "cls"
    NONE = "none"


class Layout(StrEnum):
    """The order of an image tensor's dimensions: height, width and channels."""

    HWC = "HWC"
    CHW = "CHW"


class ImageMode(StrEnum):
    """The channels of an image: grey, or red, green and blue, with opacity or without."""

    GREY = "L"
    RGB = "RGB"
    RGBA = "RGBA"


class Resampling(StrEnum):
    """How an image is brought to the tensor's size, as Pillow names it; all but `nearest` smooth what they shrink."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def _absent(value: object) -> bool:
    return value is None


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Image(_Spec):
    """How an image becomes a tensor: each value is `(pixel * scale - mean) / std`, of pixels from 0 to 255.

    `mean` and `std` have a number for each channel.
    """

    layout: Layout
    mode: ImageMode = ImageMode.RGB
    scale: float = Field(1.0, gt=0, allow_inf_nan=False)
    mean: list[Finite] | None = None
    std: list[Positive] | None = None
    resampling: Resampling = Resampling.BILINEAR

    @property
    def is_plain(self) -> bool:
        """Whether the values are the pixels themselves."""
        return self.scale == 1 and self.mean is None and self.std is None

    def size(self, shape: list[int | None]) -> tuple[int | None, int | None]:
        """Return the height and the width in a tensor of that shape."""
        height, width = shape[-3:-1] if self.layout is Layout.HWC else shape[-2:]
        return height, width

    def require_fit(self, shape: list[int | None], dtype: DType) -> None:
        """Raise ValueError when an image of this kind has no place in a tensor."""
        channels = len(self.mode)
        if dtype not in {DType.UINT8, DType.FLOAT32}:
            raise ValueError("an image needs a tensor of uint8 or float32")
        if len(shape) not in {3, 4} or (len(shape) == 4 and shape[0] != 1):  # noqa: PLR2004 - one image of three
            raise ValueError("an image needs a height, a width and channels")
        if shape[-1 if self.layout is Layout.HWC else -3] != channels:
            raise ValueError(f"an image of the mode {self.mode} needs {channels} channels, in the order {self.layout}")
        if any(numbers is not None and len(numbers) != channels for numbers in (self.mean, self.std)):
            raise ValueError(f"mean and std need {channels} numbers, one for each channel")
        if dtype is DType.UINT8 and not self.is_plain:
            raise ValueError("a tensor of uint8 takes the pixels as they are, without scale, mean and std")


class Feature(_Spec):
    """One named input of a row.

    `shape` is the shape of one row's value: `[]` for a scalar, `None` for a free dimension. `seen_minimum` and
    `seen_maximum` document the range of the sample; `minimum` and `maximum` are enforced, and only an owner sets them.
    `enum` lists the categories; values outside it are refused unless `open`.
    """

    name: Name
    dtype: DType
    shape: list[int | None] = []
    nullable: bool = False
    missing: str | None = Field(None, description="What stands for null in a string tensor.")
    enum: list[Scalar] | None = None
    open: bool = Field(False, description="Accept values outside `enum`.")
    minimum: float | None = None
    maximum: float | None = None
    seen_minimum: float | None = None
    seen_maximum: float | None = None
    description: str | None = None
    example: Scalar | list[object] | None = None
    tensor: Name = Field(description="The ONNX input that carries this feature.")
    index: int | None = Field(None, ge=0, description="Its column in that tensor; null when it is the whole tensor.")
    # Left out where there is none: the release before this one knows no such member, and may run beside it.
    image: Image | None = Field(None, exclude_if=_absent, description="How an image becomes its value.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.index is not None and self.shape:
            raise ValueError(f"feature {self.name!r}: a column of a tensor is a scalar, but shape is {self.shape}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"feature {self.name!r}: minimum {self.minimum} is above maximum {self.maximum}")
        if self.nullable and not (self.dtype.is_float or self.missing is not None):
            raise ValueError(f"feature {self.name!r}: {self.dtype} has no value for null")
        if self.image is not None:
            self.image.require_fit(self.shape, self.dtype)
        return self


class Output(_Spec):
    """One named output; `shape` is that of one row."""

    name: Name
    dtype: DType
    shape: list[int | None] = []
    role: Role = Role.TENSOR
    tensor: Name = Field(description="The ONNX output that carries it.")
    description: str | None = None


class Tensor(_Spec):
    """One input of the ONNX graph; `shape` is whole, with `None` for a free dimension (the batch comes first)."""

    name: Name
    dtype: DType
    shape: list[int | None]


class Embedding(_Spec):
    """How the answers of a model become embeddings: from which output, and what is done with it.

    `max_tokens` is the longest input, where texts are tokenized before the model.
    """

    output: Name
    pooling: Pooling = Pooling.NONE
    normalize: bool = False
    max_tokens: int = Field(MAX_TOKENS, ge=1, le=MAX_TOKENS)


class Signature(_Spec):
    """Named inputs and outputs of a model version.

    `batched` says that the first dimension of every tensor is the batch. A graph without one (`batched=False`) is run
    once a row, and each feature is then a whole tensor.
    """

    task: Task = Task.OTHER
    inputs: list[Feature] = Field(min_length=1, max_length=20_000)
    outputs: list[Output] = Field(min_length=1, max_length=1_000)
    tensors: list[Tensor] = Field(min_length=1)
    classes: list[Scalar] | None = Field(None, description="Class names in the order of the probabilities.")
    batched: bool = True
    # As a feature's image.
    embedding: Embedding | None = Field(None, exclude_if=_absent)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("feature", [feature.name for feature in self.inputs])
        _unique("output", [output.name for output in self.outputs])
        tensors = {tensor.name: tensor for tensor in self.tensors}
        if len(tensors) != len(self.tensors):
            raise ValueError("two tensors have the same name")
        columns: dict[str, list[int | None]] = defaultdict(list)
        for feature in self.inputs:
            if feature.tensor not in tensors:
                raise ValueError(f"feature {feature.name!r} names tensor {feature.tensor!r}, which the model lacks")
            columns[feature.tensor].append(feature.index)
        for name in tensors:
            _check_columns(name, columns[name])
        if Role.PROBABILITIES in {output.role for output in self.outputs} and not self.classes:
            raise ValueError("probabilities need the names of the classes")
        if self.embedding is not None and self.embedding.output not in {output.name for output in self.outputs}:
            raise ValueError(f"the embedding names output {self.embedding.output!r}, which the model lacks")
        return self

    def output(self, role: Role) -> Output | None:
        """Return the first output with this role, or None."""
        return next((output for output in self.outputs if output.role is role), None)


def _unique(kind: str, names: list[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{kind} names repeat: {', '.join(repeated)}")


def _check_columns(tensor: str, columns: list[int | None]) -> None:
    if columns == [None]:
        return
    if (
        not columns
        or None in columns
        or sorted(column for column in columns if column is not None) != list(range(len(columns)))
    ):
        raise ValueError(f"the features of tensor {tensor!r} must be its columns 0..n-1, or one feature the whole")
