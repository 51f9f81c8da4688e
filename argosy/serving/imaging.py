"""Reading images beside the event loop, a bounded number at once."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from argosy.kit.errors import UnsupportedMediaType
from argosy.signature.images import ImageReader, image_feature
from argosy.signature.spec import Signature
from argosy.signature.tensors import Batch


class ImageDecoder:
    """Turns the images of a request into the batch a model runs on."""

    def __init__(self, threads: int, max_pixels: int) -> None:
        # Threads of their own bound the memory that images take before they have their size.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argosy-image")
        self._max_pixels = max_pixels

    async def read(self, signature: Signature, contents: Sequence[bytes]) -> Batch:
        """Return the batch; raises `InvalidInput`, or `UnsupportedMediaType` where the model takes no images."""
        feature = image_feature(signature)
        if feature is None or feature.image is None:
            raise UnsupportedMediaType("this model takes no images: send the rows as application/json")
        try:
            reader = ImageReader(signature, feature, feature.image)
        except ImportError as error:
            message = "the server lacks Pillow to read images: pip install 'argosy[images]'"
            raise UnsupportedMediaType(message) from error
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, reader.read, contents, self._max_pixels)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
