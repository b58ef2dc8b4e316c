"""What is wrong with a model's files."""

from guiderail.errors import GuiderailError


class ModelFolderError(GuiderailError):
    """A folder is no complete model: no configuration, no weights, or only pickled ones."""


class MissingWeightsError(GuiderailError):
    """The weights on disk do not fill the architecture that the configuration names."""
