"""Public image sets, from their authors' servers to folders that studies can use."""

from grla.data.public.fetch import fetch
from grla.data.public.sets import PUBLIC_SETS
