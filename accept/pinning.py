"""The networks a job names: found once, when it is submitted, and from then on the very same bytes.

What the job asks of them is checked then as well, by what is known of each: nobody waits in line to hear it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engines.base import BadInput, EngineSpec, NetworkFacts, NetworkParam, Params, network_sha256
from jobs.errors import AtelierError, InvalidParams, NetworkNotReady
from jobs.networks import NetworkStore
from jobs.rows import SizedNetworkRow
from jobs.states import NetworkState

#: Names in a message.
_TOLD = 20


@dataclass(frozen=True)
class Pinned:
    """Params whose networks are found."""

    params: Params
    #: Hashes of the uploaded networks that they name, and what is known of these.
    hashes: Sequence[str] = ()
    facts: Sequence[NetworkFacts] = ()


def pin(networks: NetworkStore, owner_id: str, spec: EngineSpec, params: Params) -> Pinned:
    """The params with `net_...@<sha256>` for each uploaded network they name, as the engine will take them.

    The owner's own networks go before shared ones, and those before the engine's shipped ones. Raises
    InvalidParams for one that there is not or that failed, and for what a network cannot do; NetworkNotReady
    for one that is being converted.
    """
    changes: dict[str, Any] = {}
    facts: dict[str, NetworkFacts] = {
        one.name: one.facts for one in spec.shipped_networks() if one.facts is not None
    }
    for param in spec.network_params.values():
        refs = list(_refs(params, param))
        if not refs:
            continue
        wanted = {ref: ref.partition("@")[0] for ref in refs}
        found = networks.resolve(owner_id, param.kind, set(wanted.values()))
        made = []
        for ref in refs:
            row = found.get(wanted[ref])
            made.append(_pinned(networks, owner_id, ref, row, param))
            if row is not None and row.config:
                facts[made[-1]] = row.config
        changes[param.name] = made if param.multiple else made[0]
    if not changes:
        return Pinned(params)
    fitted = _fitted(spec, params.model_copy(update=changes), facts)
    refs = [ref for param in spec.network_params.values() for ref in _refs(fitted, param)]
    hashes = {ref: sha256 for ref in refs if (sha256 := network_sha256(ref)) is not None}
    return Pinned(fitted, list(hashes.values()), [facts[ref] for ref in hashes if ref in facts])


def _refs(params: Params, param: NetworkParam) -> Iterator[str]:
    value = getattr(params, param.name)
    if value is not None:
        yield from value if param.multiple else [value]


def _fitted(spec: EngineSpec, params: Params, facts: Mapping[str, NetworkFacts]) -> Params:
    """Raises InvalidParams for what the networks cannot do."""
    try:
        fitted: Params = spec.check(params, facts)
    except BadInput as error:
        message = f"{str(error)[:1].upper()}{str(error)[1:]}."
        wrong = [{"field": error.field, "message": message, "code": error.code}]
        raise InvalidParams(message, errors=wrong) from error
    return fitted


def _pinned(
    networks: NetworkStore, owner_id: str, ref: str, row: SizedNetworkRow | None, param: NetworkParam
) -> str:
    sha256 = network_sha256(ref)
    if row is None and ref in param.shipped:
        return ref
    # An id never gets other bytes; a pinned one that says so was not made here.
    if row is None or (sha256 is not None and row.sha256 != sha256):
        message = f"There is no network {ref[:64]} for this engine; {_there_are(networks, owner_id, param)}."
        raise _refused(InvalidParams, param, "network_not_found", message)
    if row.state == NetworkState.CONVERTING:
        message = f"The network {row.name} is still being converted; wait until it is ready."
        raise _refused(NetworkNotReady, param, NetworkNotReady.code, message)
    if row.state == NetworkState.FAILED:
        message = f"The network {row.name} could not be used: {row.error_detail}"
        raise _refused(InvalidParams, param, "network_failed", message)
    return f"{row.id}@{row.sha256}"


def _there_are(networks: NetworkStore, owner_id: str, param: NetworkParam) -> str:
    """Which networks somebody may name here: their own, the shared and the shipped ones."""
    rows = networks.page(owner_id, kind=param.kind, state=NetworkState.READY, limit=_TOLD)
    own_first = sorted(rows, key=lambda row: bool(row.owner_id != owner_id))
    names = list(dict.fromkeys([*(row.name for row in own_first), *param.shipped]))
    return f"there are {', '.join(names)}" if names else "there is none yet: POST /v1/networks takes one"


def _refused(kind: type[AtelierError], param: NetworkParam, code: str, message: str) -> AtelierError:
    return kind(message, code=code, errors=[{"field": param.name, "message": message, "code": code}])
