"""The ``kdhelpers`` command."""

from __future__ import annotations

import sys

import kdhelpers
from kdhelpers.doctor import doctor
from kdhelpers.extras import need


def main() -> None:
    """Run the command given on the command line.

    Raises:
        SystemExit: Always: 0 for success, 1 when the doctor finds a problem, 2 for a wrong command.

    Example:
        >>> import sys; sys.argv = ["kdhelpers", "--version"]
        >>> try:
        ...     main()
        ... except SystemExit as stop:
        ...     print(stop.code)
        kdhelpers 0.1.0
        0
    """
    try:
        need("click", extra="course")
    except ImportError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    _run()


def _run() -> None:
    import click

    @click.group(help="Knowledge distillation by doing it.")
    @click.version_option(kdhelpers.__version__, prog_name="kdhelpers", message="%(prog)s %(version)s")
    def group() -> None: ...

    @group.command(name="doctor", help="Check that this machine is ready for the lessons.")
    def _doctor() -> None:
        diagnosis = doctor()
        click.echo(str(diagnosis))
        raise SystemExit(0 if diagnosis.ok else 1)

    group(prog_name="kdhelpers")
