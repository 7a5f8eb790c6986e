"""`atelier webhooks`: who is told what becomes of your jobs, and what came of telling them."""

from __future__ import annotations

import json

import click
from rich.markup import escape

from cli import context, show
from cli.several import for_each
from client import Json
from jobs.news import DEFAULT_EVENTS, Event
from webhooks.deliveries import DeliveryState

EVENTS = tuple(event.value for event in Event)


@click.group()
def webhooks() -> None:
    """Tell a server of yours what becomes of your jobs (Standard Webhooks).

    \b
    atelier webhooks add https://example.org/hook --event succeeded --event failed
    atelier webhooks deliveries --state failed
    """


@webhooks.command()
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(EVENTS),
    help=f"Tell of this; can be repeated. [default: {', '.join(DEFAULT_EVENTS)}]",
)
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def add(ctx: click.Context, url: str, events: tuple[str, ...], as_json: bool) -> None:
    """Tell URL of all your jobs from now on.

    Of those that wait or run already, too. Prints the secret that signs the messages: the only time it can
    be seen. The server takes public https: addresses, and others where its operator has set
    ATELIER_WEBHOOKS_ALLOW_PRIVATE=yes.
    """
    wanted = {"url": url} | ({"events": list(events)} if events else {})
    with context.client(ctx) as client:
        made = client.request("POST", "/v1/webhooks", json=wanted)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(made["secret"])
    click.echo(
        f"{made['id']} hears of: {', '.join(made['events'])}. Keep the secret: it cannot be shown again.",
        err=True,
    )


@webhooks.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List your webhooks (never their secrets)."""
    with context.client(ctx) as client:
        found = client.request("GET", "/v1/webhooks")
    if as_json:
        click.echo(json.dumps(found))
        return
    table = show.table("WEBHOOK", "URL", "EVENTS", "MADE")
    for row in found["webhooks"]:
        events = ", ".join(row["events"])
        table.add_row(row["id"], escape(row["url"]), events, show.moment(row["created_at"]))
    show.results().print(table)


@webhooks.command()
@click.argument("webhook_id")
@click.pass_context
def remove(ctx: click.Context, webhook_id: str) -> None:
    """Delete a webhook (whk_...), with its log and what it was still to be told."""
    with context.client(ctx) as client:
        client.request("DELETE", f"/v1/webhooks/{webhook_id}")
    click.echo(f"{webhook_id}: removed")


@webhooks.command()
@click.option("--rotate", is_flag=True, help="Make another one; the old one signs nothing any more.")
@click.pass_context
def secret(ctx: click.Context, rotate: bool) -> None:
    """Print the secret of single jobs' webhooks.

    It signs what is sent to the `webhook` that a job was submitted with.
    """
    with context.client(ctx) as client:
        method, path = ("POST", "/rotate") if rotate else ("GET", "")
        found = client.request(method, f"/v1/webhooks/secret{path}")
    click.echo(found["secret"])


@webhooks.command()
@click.argument("delivery_id", required=False)
@click.option("--job", help="Only of this job (job_...).")
@click.option("--webhook", help="Only to this webhook (whk_...).")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As the API gives it.")
@click.pass_context
def deliveries(
    ctx: click.Context,
    delivery_id: str | None,
    job: str | None,
    webhook: str | None,
    state: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was sent, or show one message.

    Newest first; with an id (msg_...), that message and every try to send it. Kept for 30 days.
    """
    with context.client(ctx) as client:
        if delivery_id is not None:
            found = client.request("GET", f"/v1/deliveries/{delivery_id}")
        else:
            asked = {"job": job, "webhook": webhook, "state": state, "limit": limit}
            found = client.request("GET", "/v1/deliveries", query=asked)
    if as_json:
        click.echo(json.dumps(found))
    elif delivery_id is not None:
        _describe(found)
    else:
        _list(found)


@webhooks.command()
@click.argument("delivery_ids", nargs=-1, required=True)
@click.pass_context
def redeliver(ctx: click.Context, delivery_ids: tuple[str, ...]) -> None:
    """Send messages again, now, whatever became of them."""
    with context.client(ctx) as client:

        def act(delivery_id: str) -> None:
            client.request("POST", f"/v1/deliveries/{delivery_id}/redeliver")
            click.echo(f"{delivery_id}: to be sent")

        for_each(delivery_ids, act)


def _list(page: Json) -> None:
    table = show.table("DELIVERY", "EVENT", "STATE", "TRIES", "MADE", "URL")
    for row in page["deliveries"]:
        made = show.moment(row["created_at"])
        table.add_row(row["id"], row["event"], row["state"], str(row["attempts"]), made, escape(row["url"]))
    show.results().print(table)
    if page.get("next_cursor"):
        click.echo("There are more: --limit.", err=True)


def _describe(delivery: Json) -> None:
    console = show.results()
    console.print(f"[bold]{delivery['id']}[/]  {delivery['event']}  {delivery['state']}")
    console.print(f"{delivery['job_id']} to {delivery['url']}", markup=False, soft_wrap=True)
    if delivery["next_attempt_at"]:
        until = show.moment(delivery["given_up_at"])
        console.print(f"next try {show.moment(delivery['next_attempt_at'])}, given up {until}")
    for attempt in delivery["log"]:
        what = attempt["error"] or f"answered {attempt['status']}"
        took = show.seconds(attempt["seconds"])
        console.print(
            f"  {attempt['number']}  {show.moment(attempt['at'])}  {took}  {what}",
            markup=False,
            soft_wrap=True,
        )
    console.print_json(data=delivery["body"])
