"""What is known of a model before it is served, found where it was verified: whether it repeats, what it takes."""

from pydantic import BaseModel, Field

BATCH_ROWS = 256


class Facts(BaseModel):
    """Facts of one ONNX file; what could not be measured is None, and taken as too much."""

    repeats: bool = Field(description="Whether it has a loop, so that a run may take any time.")
    grows: bool = Field(description="Whether numbers of the input decide how large its tensors are.")
    load_bytes: int | None = Field(None, description="Most memory while it was loaded.")
    run_bytes: int | None = Field(None, description="Most memory of a run of a few rows, beside the loaded model.")
    batch_bytes: int | None = Field(None, description=f"The same of {BATCH_ROWS} rows, or of one very long one.")
    load_seconds: float | None = None
    run_seconds: float | None = None
    batch_seconds: float | None = None

    def is_light(self, most_bytes: int) -> bool:
        """Tell whether a run surely ends soon and takes no more memory than this."""
        if self.repeats or self.grows or self.run_bytes is None or self.batch_bytes is None:
            return False
        return max(self.run_bytes, self.batch_bytes) <= most_bytes

    @property
    def peak_bytes(self) -> int | None:
        """Memory of the loaded model and a run of it."""
        measured = (self.load_bytes, self.run_bytes, self.batch_bytes)
        known = [one for one in measured if one is not None]
        return known[0] + max(known[1:]) if len(known) == len(measured) else None
