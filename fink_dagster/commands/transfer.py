"""``fink-dagster transfer``: past alerts to a topic of their own, which fink-client fetches.

Arguments, the progress bars and printing; what is sent, and how, is in ``streams.transfer`` and ``stages.transfer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fink_dagster.errors import OperationError, UserError
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey


def transfer(
    nights: Annotated[str | None, typer.Option(help="A night, or the first and the last as A..B.")] = None,
    filter_name: Annotated[str | None, typer.Option("--filter", help="Only alerts that pass this filter.")] = None,
    columns: Annotated[
        str,
        typer.Option(help="'full packet', medium (no stamps), light (nor history), cutouts; or columns: a,b.c,d."),
    ] = "full packet",
    survey: Annotated[str | None, typer.Option(help="Whose nights; default: FINK_SURVEY.")] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="End of the topic's name, a-z and 0-9; default: six digits by chance.")
    ] = None,
    as_list: Annotated[bool, typer.Option("--list", help="List the transfers there are, and send nothing.")] = False,
    remove: Annotated[str | None, typer.Option(help="Remove this transfer, and send nothing.")] = None,
) -> None:
    """Send alerts of closed nights to a topic of their own, counted, for fink-client's data transfer.

    The topic is there with all alerts or not at all, for as long as FINK_TRANSFER_RETENTION_DAYS says.

    Example: fink-dagster transfer --nights 2018-08-19..2018-11-29 --filter sso_ztf_candidates --columns light
    """
    if (nights is not None) + as_list + (remove is not None) != 1:
        message = (
            "transfer: must be given one of --nights, --list and --remove; "
            "for example `fink-dagster transfer --nights 2018-08-19`"
        )
        raise UserError(message)
    settings = load_settings()
    if nights is not None:
        _send(settings, get_survey(survey or settings.survey), nights, filter_name, columns, identity)
    elif remove is not None:
        _remove(settings, remove)
    else:
        _list(settings)


def _send(
    settings: Settings, survey: Survey, nights: str, name: str | None, columns: str, identity: str | None
) -> None:
    # Seconds to import, which whoever asks for help or mistypes an option need not wait for.
    from fink_dagster.lake.spark import session
    from fink_dagster.local.progress import counted, waiting
    from fink_dagster.stages.transfer import transfer as send
    from fink_dagster.streams.transfer import choose, ordered

    order = ordered(settings, survey, nights, name, columns, identity)
    spark = session(settings, "fink transfer")
    try:
        with waiting("choosing alerts"):
            rows, number = choose(spark, settings, survey, order)
        send(settings, survey, rows, order.paths, topic=order.topic, number=number, step=counted)
    finally:
        spark.stop()
    typer.echo(f"{number} alerts of {_in_words(len(order.nights))} -> {order.topic}")
    asked = f"-survey {survey.name} -topic {order.topic} -outdir {order.topic}"
    typer.echo(f"fetch them, with fink-client 11 or 12, by\n  fink_datatransfer {asked}\n  finkctl transfer {asked}")


def _in_words(nights: int) -> str:
    return "1 night" if nights == 1 else f"{nights} nights"


def _list(settings: Settings) -> None:
    from fink_dagster.kafka.clients import distribution_client
    from fink_dagster.kafka.transfers import transfers

    for topic, whole in transfers(distribution_client(settings)).items():
        typer.echo(topic if whole else f"{topic}  unfinished: being sent, or cut off; remove it if nobody sends")


def _remove(settings: Settings, topic: str) -> None:
    from fink_dagster.kafka.clients import distribution_client
    from fink_dagster.kafka.transfers import must_be_a_transfer, remove_transfer, transfers

    config = distribution_client(settings)
    if must_be_a_transfer(topic) not in transfers(config):
        message = f"transfer {topic}: must be there to be removed; it is not; see `fink-dagster transfer --list`"
        raise OperationError(message)
    remove_transfer(config, topic)
    typer.echo(f"removed {topic}")
