"""Images in: sources, MATLAB's bicubic, and the store that training batches are cut from."""

from grla.data.bundled import BundledPhoto, bundled_photos, photo_path
from grla.data.images import (
    ImagePair,
    PairsFound,
    TrainingImage,
    TrainingSplit,
    as_rgb,
    image_pair,
    read_test_sets,
    training_images,
)
from grla.data.patches import PatchStore
from grla.data.png import PngWriter
from grla.data.reading import files_checksum, find_images, image_size, read_image, read_with_alpha
from grla.data.recall import GRAY, IGNORING_KEYS, RecallSampler
from grla.data.resize import imresize, mod_crop
from grla.data.similarity import SimilaritySampler
