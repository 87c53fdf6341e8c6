"""What the training loop asks of any model."""

from torch import Tensor, nn


class TrainedModel(nn.Module):
    """A model as `Trainer` and the loop know it; kinds of models say what is different with them."""

    can_be_recorded = True  # a GPU may replay a recorded step of its training

    @property
    def clipped(self) -> list[Tensor]:
        """What training keeps within -clip..clip."""
        return []

    def encode(self, frames: Tensor) -> Tensor:
        """Frames (n, ...) of unsigned integers as `forward` takes them."""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """What is added to the loss of each batch."""
        return None

    def kept_state(self) -> dict[str, Tensor]:
        """A copy of the state that is exported."""
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}

    def after_training(self, frames: Tensor) -> None:
        """What is done once with the model that is kept, and the training `frames` (n, ...), before it is exported."""

    def finish(self) -> None:
        """Makes it the model whose state `kept_state` gives, as training leaves it."""
