"""The ``kdhelpers`` command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import kdhelpers
from kdhelpers.extras import need

if TYPE_CHECKING:
    import click

# What the commands do is in the package; here it is only called, and imported when it is: predicting needs
# no torch. What a wrong file, setting or installation raises is told in its own sentence.
_EXPECTED = (ImportError, OSError, TypeError, ValueError)


def main() -> None:
    """Run the command given on the command line.

    Raises:
        SystemExit: Always: 0 for success, 1 when the doctor finds a problem or a contract is not kept, 2 for
            a wrong command or file, 130 when interrupted.

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
        need("click", extra="cli")
    except ImportError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    commands()(prog_name="kdhelpers")


def commands() -> click.Group:
    """All commands, as the library ``click`` has them.

    Raises:
        ImportError: The extra ``cli`` is not installed.

    Example:
        >>> sorted(commands().commands)
        ['check', 'distill', 'doctor', 'predict']
    """
    need("click", extra="cli")
    import click

    @click.group(help="Knowledge distillation by doing it.")
    @click.version_option(kdhelpers.__version__, prog_name="kdhelpers", message="%(prog)s %(version)s")
    def group() -> None: ...

    for command in (_doctor(), _distill(), _predict(), _check()):
        group.add_command(command)
    return group


def _doctor() -> click.Command:
    import click

    @click.command(name="doctor", help="Check that this machine is ready for the lessons.")
    def run() -> None:
        from kdhelpers.doctor import doctor

        diagnosis = doctor()
        click.echo(str(diagnosis))
        raise SystemExit(0 if diagnosis.ok else 1)

    return run


def _distill() -> click.Command:
    import click

    @click.command(name="distill", help=_DISTILL)
    @click.argument("labelled")
    @click.option("--text", required=True, help="Column of the texts, in all files.")
    @click.option("--label", required=True, help="Column of the classes, in LABELLED and the test.")
    @click.option("--id", "id_", help="Column of ids in LABELLED; by default rows are called by their lines.")
    @click.option("--unlabelled", help="CSV of texts that nobody labelled: the more, the better.")
    @click.option("--test", help="CSV of labelled texts to measure on; by default some of LABELLED.")
    @click.option("--group", help="Column of what belongs together, such as a customer, if there is no test.")
    @click.option("--contract", help="TOML file of what the student must do; the report says if it does.")
    @click.option("--teacher", help="Folder of a Hugging Face transformer; by default MiniLM, for English.")
    @click.option("--seeds", default=5, show_default=True, help="Students of each kind to compare.")
    @click.option("--quote", is_flag=True, help="Let the report quote messages of the test.")
    @click.option("--out", required=True, help="Folder for the student, its card and its report.")
    def run(labelled: str, id_: str | None, out: str, **given: Any) -> None:
        with _told("the same command goes on from here"):
            from kdhelpers.contract import Contract
            from kdhelpers.own_data import distill_own_data, read_own_data
            from kdhelpers.own_data.teaching import teacher_notes

            contract = given.pop("contract")
            terms = None if contract is None else Contract.from_toml(contract)
            training = {name: given.pop(name) for name in ("teacher", "seeds", "quote")}
            data = read_own_data(labelled, id=id_, **given)
            said = (*data.notes, *teacher_notes(data, training["teacher"]))
            for note in said:
                click.echo(f"Note: {note}", err=True)
            outcome = distill_own_data(data, out, contract=terms, **training)
            for note in (note for note in outcome.data.notes if note not in said):
                click.echo(f"Note: {note}", err=True)
            click.echo(str(outcome))
            click.echo(f"Read {outcome.folder / 'report.html'}; the student is beside it.")

    return run


def _predict() -> click.Command:
    import click

    @click.command(name="predict", help=_PREDICT)
    @click.argument("folder")
    @click.argument("file")
    @click.option("--text", help="Column of the texts; by default as the student was made from.")
    @click.option("--id", "id_", help="Column of ids; by default rows are called by their lines.")
    @click.option("--out", help="File for the answers (.csv or .parquet); a killed run goes on.")
    def run(folder: str, file: str, text: str | None, id_: str | None, out: str | None) -> None:
        with _told("with --out, the same command goes on from here"):
            from kdhelpers.serving import OnnxPredictor, predict_lines

            def tell(said: str) -> None:
                click.echo(said, err=True)

            predictor = OnnxPredictor.load(folder)
            if file == "-":
                predict_lines(predictor, sys.stdin.buffer, sys.stdout.buffer, tell)
            else:
                _predict_file(predictor, folder, file, text, id_, out, tell)

    return run


def _predict_file(
    predictor: Any, folder: str, file: str, text: str | None, id_: str | None, out: str | None, tell: Any
) -> None:
    import csv
    import shutil
    import tempfile
    from pathlib import Path

    from kdhelpers.serving import predict_file
    from kdhelpers.serving.artefact import columns_made_from

    column = text or columns_made_from(folder)["text"]
    if out is not None:
        tell(str(predict_file(predictor, file, out, text=column, id=id_)))
        return
    with tempfile.TemporaryDirectory() as place:
        result = predict_file(predictor, file, Path(place) / "answers.csv", text=column, id=id_)
        if result.errors is not None:
            with result.errors.open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    unit = "line" if "line" in row else "row"
                    tell(f"{Path(file).name}, {unit} {row[unit]}: {row['reason']}")
        with result.target.open("rb") as answers:
            shutil.copyfileobj(answers, sys.stdout.buffer)


def _check() -> click.Command:
    import click

    @click.command(name="check", help=_CHECK)
    @click.argument("folder")
    @click.argument("test")
    @click.option("--contract", required=True, help="TOML file of what the student must do.")
    @click.option("--text", help="Column of the texts; by default as the student was made from.")
    @click.option("--label", help="Column of the classes; by default as the student was made from.")
    def run(folder: str, test: str, contract: str, text: str | None, label: str | None) -> None:
        with _told("nothing was written"):
            from kdhelpers.contract import Contract
            from kdhelpers.own_data import check_student

            terms = Contract.from_toml(contract)
            verdict, notes = check_student(folder, test, terms, text=text, label=label)
            for note in notes:
                click.echo(note, err=True)
            click.echo(str(verdict))
        raise SystemExit(0 if verdict.passed else 1)

    return run


@contextmanager
def _told(after: str) -> Iterator[None]:
    """Errors that a reader can do something about become one sentence, and exit 2."""
    import click

    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Interrupted: {after}.", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None  # who reads the answers has enough
    except _EXPECTED as error:
        click.echo(f"Error: {_sentence(error)}.", err=True)
        raise SystemExit(2) from None


def _sentence(error: Exception) -> str:
    said = str(error)
    if isinstance(error, OSError) and error.strerror:  # without its number
        said = error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return " ".join(said.split()).rstrip(".")


_DISTILL = """Distil a small, fast text classifier from LABELLED, a CSV file of few labelled texts.

A teacher is fitted to the labels and asked once about every text; a student learns from its answers and is
compared with students from the labels alone. Texts stay on this machine. A run that was stopped goes on when
the same command is given again.
"""
_PREDICT = """Answer each row of FILE (.csv or .parquet), or each line of standard input for -.

FOLDER is what distill made. The answers go to standard output as CSV; a row that cannot be answered is named
on standard error, and the others go on.
"""
_CHECK = """Hold the student in FOLDER to a contract, on the labelled texts of TEST.

Exit 0: every clause is kept. Exit 1: one is broken, or not shown to be kept. Exit 2: wrong use.
"""
