"""Networks, uploaded and shipped."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from accept.wire import Wire
from api.schemas.problems import Failure
from jobs.states import NetworkState


class NetworkConfig(Wire):
    """What a network makes."""

    # As some conversion stored it, perhaps a later version's.
    model_config = ConfigDict(extra="ignore")

    resolution: int = Field(description="Side of a picture in pixels.")
    channels: int = Field(description="Of a picture; 3 is RGB.")
    classes: int = Field(description="How many classes it knows; 0: it has none.")
    z_dim: int = Field(description="Numbers in a latent z.")
    w_dim: int = Field(description="Numbers in a latent w.")
    class_names: list[str] | None = Field(
        default=None,
        description="Of the classes, in the order of their numbers; empty: they have none. Null where they "
        "are not known without opening the file.",
    )
    has_average: bool | None = Field(
        default=None, description="Whether it keeps an average to truncate towards; null where not known."
    )


class NetworkView(Wire):
    """One network: uploaded by somebody, or shipped with an engine."""

    id: str = Field(description="Of a shipped one: its name.")
    name: str = Field(description="What jobs may call it; its id does as well.")
    kind: str = Field(description="Which params can name it: those whose schema has this `x-network`.")
    shared: bool = Field(description="Everybody sees it.")
    own: bool = Field(description="It is yours.")
    shipped: bool = Field(
        default=False, description="It comes with an engine: nobody's, for everybody, and cannot be deleted."
    )
    state: NetworkState
    problem: Failure | None = Field(default=None, description="Why it failed.")
    sha256: str | None = Field(default=None, description="Of the converted file; results name it.")
    bytes: int | None = Field(default=None, description="Size of the converted file.")
    upload_bytes: int | None = Field(description="Size of what was sent; null for a shipped one.")
    config: NetworkConfig | None = Field(default=None, description="Known when it is ready.")
    job_id: str | None = Field(default=None, description="The job that converts it; of your own ones.")
    created_at: datetime | None = Field(description="Null for a shipped one.")


class NetworkPage(Wire):
    """Yours and the shared ones, newest first, and on the last page those that come with the engines."""

    networks: list[NetworkView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
