"""Looking into trained networks, and at what kernels compute."""

from grla.analysis.attribution import Target, attribution_map, diffusion_index, strength_map
from grla.analysis.checkpoints import (
    checkpoint_name,
    find_tiled,
    find_upscaler,
    load_networks,
    load_trained,
    model_label,
    picture,
    to_batch,
    write_weights,
)
from grla.analysis.fidelity import distances_to_softmax, fidelity_kernels, kernel_profiles
from grla.analysis.interventions import losses_without, respond
from grla.analysis.probe_tests import flat_probe, other_tests, probe_images, recall_scenes, scores_ignoring_keys
from grla.analysis.recall_maps import layer_weights, look
from grla.analysis.score import score_model, scores_on
from grla.analysis.settled import settled_record
from grla.analysis.taylor import denominator_margins, taylor_errors, taylor_histogram
from grla.analysis.tokens import Tokens, network_tokens, random_tokens
from grla.answers import Conventions
from grla.evaluation import Bands
