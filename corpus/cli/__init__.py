"""The `corpus` command. One file per subcommand, imported only when it is run: `corpus --help` takes 0.15 s."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

import click

from corpus.guard import check_siblings

check_siblings()  # before anything of theirs is imported

from registry.errors import CorpusError, nearest  # noqa: E402

# Name and one line of help, so that listing them imports none of them. A test keeps the lines equal to the commands'
# own.
COMMANDS = {
    "build": "Build a corpus: documents, ledger and tokenized shards.",
    "extract": "Print the documents of each file, as stage 2 of a build reads them.",
    "explain": "Tell what happened to one document, and why.",
    "audit": "Write the report of a build, and hold its numbers against gates.",
    "diff": "Tell what changed from one build to another.",
    "retune": "Tell what other thresholds would change in a build, from its measurements.",
    "vocab": "List the terms of a build's domain: frequency, keyness, tokens per term.",
    "check": "Check a recipe and everything that it names, without building.",
    "ls": "List the domains that can be built and the corpora that were.",
    "tokenizer": "Train a tokenizer on the kept texts of a build.",
    "export": "Write a build in the layout that another training stack reads.",
    "extend": "Add words to the vocabulary of a model.",
    "questions": "Make numeric-choice questions from a build's documents.",
    "train": "Train a causal language model on shards.",
    "merge": "Merge models or LoRA adapters into one.",
    "evaluate": "Measure models: bits per byte, multiple choice, generations.",
    "new": "Make the folder of a new domain that builds at once.",
}
_INTERRUPTED, _TERMINATED = 130, 143


class _Terminated(BaseException):
    """SIGTERM: raised in the main thread, so that workers are ended and locks are let go of on the way out."""


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002, D102
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"corpus.cli.{name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: D102
        if args and args[0] not in COMMANDS:
            raise click.UsageError(f"there is no command {args[0]!r}; {nearest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002, D102
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.version_option(version("corpus-foundry"), prog_name="corpus")
def cli(debug: bool) -> None:
    """Build Japanese domain corpora from PDF, HTML, iXBRL filings and text, with a ledger that explains every document.

    Exit codes: 0 all well; 1 not finished, or a gate fell short; 2 the recipe or the command is wrong; 3 finished, but
    some inputs could not be read; 130 interrupted; 143 terminated.
    """


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def main() -> NoReturn:
    """Run the command line. A user's mistake never shows a traceback, unless --debug asks for it."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = cli.main(standalone_mode=False) or 0
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is done and told: too late to be terminated
        sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CorpusError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"corpus: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        told = str(error.__cause__ or error)  # click makes an Abort of an interrupt
        kept = "interrupted; what was done is kept, and the same command goes on from there"
        click.echo(f"corpus: {told or kept}", err=True)
        sys.exit(_INTERRUPTED)
    except _Terminated:
        click.echo("corpus: terminated; what was done is kept, and the same command goes on from there", err=True)
        sys.exit(_TERMINATED)
    except BrokenPipeError:  # `corpus extract FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        gc.freeze()  # nothing is left to collect; looking for it took 0.3 s at the end of a build
