"""The entry of the command: finds the noun, loads only its module, turns every failure into words and an exit code."""

from __future__ import annotations

import importlib
import os
import sys

import click

from console.cli.failure import Failure, debugging, from_exception, from_usage

# noun → where its command is, and the line that `driftline --help` shows without loading it
COMMANDS = {
    "run": ("console.cli.run:run", "Run sensor and classifier together."),
    "sensor": ("console.cli.sensor:sensor", "Run the sensor alone."),
    "classifier": ("console.cli.classifier:classifier", "Run the classifier alone."),
    "workload": ("console.cli.workload:workload", "List and show workloads."),
    "envelope": ("console.cli.envelope:envelope", "Show and compare what is normal."),
    "class": ("console.cli.classes:classes", "Say and pin what kind of agent a workload is."),
    "track": ("console.cli.track:track", "Say and set how a workload is watched; staging baselines."),
    "inventory": ("console.cli.inventory:inventory", "Show what workloads are made of, and since when."),
    "finding": ("console.cli.finding:finding", "List, show and triage findings."),
    "report": ("console.cli.report:report", "Report on what changed, and why."),
    "audit": ("console.cli.audit:audit", "Show, export and verify the audit trail."),
    "original": ("console.cli.original:original", "List and open the sealed whole texts of agents."),
    "deploy": ("console.cli.deploy:deploy", "Announce and list changes."),
    "doctor": ("console.cli.doctor:doctor", "Say what this machine's kernel gives."),
    "trace": ("console.cli.trace:trace", "Record, replay, show, verify and import traces."),
    "lab": ("console.cli.lab:lab", "Simulate fleets and evaluate the label."),
    "demo": ("console.cli.demo:demo", "Play the story of two agents, a rollout and a theft."),
    "completion": ("console.cli.completion:completion", "Print the completion script of a shell."),
    "version": ("console.cli.version:version", "Print the version."),
}
INTERRUPTED = 130


class Enough(Exception):
    """The reader of our output, such as `head`, has seen enough."""


class Nouns(click.Group):
    """A group that loads the module of a noun only when that noun is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The nouns, in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a noun, its module loaded now."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def invoke(self, ctx: click.Context):
        """Run the command; a broken pipe is no failure, which click would make of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as e:
            raise Enough from e

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of nouns, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """The named command; for an unknown one, the nearest that exists."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no such command: {args[0]}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    envvar="DRIFTLINE_CONFIG",
    help="Configuration file; /etc/driftline/driftline.yaml where there is one.",
)
@click.version_option(package_name="driftline", prog_name="driftline", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, config: str | None) -> None:
    """Watch what workloads do, learn what is normal, and say which change no deploy explains.

    \b
    Example:
      driftline trace replay incident.trace
    """
    ctx.obj = config


def main(args: list[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 usage, 3 the configured mode cannot be honoured."""
    sys.exit(_guarded(args))


def _guarded(args: list[str] | None) -> int:
    try:
        code = root.main(args=args, prog_name="driftline", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as e:
        return _shown(from_usage(e), e)
    except click.ClickException as e:
        return _shown(e if isinstance(e, Failure) else Failure(e.format_message()), e)
    except (Enough, BrokenPipeError):
        # What is still buffered must not fail again when the interpreter flushes it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as e:
        return _shown(from_exception(e), e)


def _shown(failure: Failure, cause: BaseException) -> int:
    if debugging():
        import traceback

        traceback.print_exception(cause)
    failure.show()
    return failure.exit_code


if __name__ == "__main__":
    main()
