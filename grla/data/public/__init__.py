"""Public image sets, from their authors' servers to folders that studies can use."""

from grla.data.public.fetch import PUBLIC_SETS, fetch

__all__ = ["PUBLIC_SETS", "fetch"]
