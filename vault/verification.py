"""Opening everything, to know before it is needed whether it opens.

The vault knows of no table but its own: what is sealed where is handed in as places. Whatever does not open is counted
by its kind, so that a wrong key, an altered row and a row put back from elsewhere can be told apart.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from vault.address import Owner
from vault.data_key import DataKey
from vault.errors import (
    CommitmentMismatch,
    EpochMismatch,
    FormatUnknown,
    GenerationMismatch,
    KeyDestroyed,
    KeySourceError,
    KeyUnknown,
    RowSealBroken,
    TagMismatch,
    VaultError,
)
from vault.key_material import KeyMaterial
from vault.keyring import Vault
from vault.tables import Row, Transaction

BATCH = 200
SHOWN = 50
DESTROYED = "key_destroyed"
_CLASSES: tuple[tuple[type[Exception], str], ...] = (
    (CommitmentMismatch, "commitment"),
    (TagMismatch, "tag"),
    (EpochMismatch, "epoch"),
    (GenerationMismatch, "generation"),
    (RowSealBroken, "row_seal"),
    (KeyDestroyed, DESTROYED),
    (KeyUnknown, "key_unknown"),
    (KeySourceError, "key_source"),
    (FormatUnknown, "format"),
)


class Keys(KeyMaterial):
    """The data keys that a batch of rows needs, each unwrapped once; forgotten with the batch."""

    __slots__ = ("_demanded", "_found", "_tx", "_vault")

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx = tx
        self._vault = vault
        self._found: dict[tuple[Owner, int | None], DataKey] = {}
        self._demanded: dict[str, bool] = {}

    def of(self, owner: Owner, epoch: int | None = None) -> DataKey:
        """The owner's key of the epoch, or the newest. Raises as `Vault.key` does."""
        name = (owner, epoch)
        if name not in self._found:
            self._found[name] = self._vault.key(self._tx, owner, epoch)
        return self._found[name]

    def of_tenant(self, tenant: str) -> DataKey:
        """The key that vouches for the tenant's rows."""
        return self.of(Owner(tenant, "tenant", tenant))

    def beside(self, sql: str, **parameters: object) -> Sequence[Row]:
        """Rows of another table that belong to the one that is checked."""
        return self._tx.all(sql, **parameters)

    def demands_seals(self, tenant: str) -> bool:
        """Whether rows that older code may have left without a seal must carry one by now: as the vault says."""
        if tenant not in self._demanded:
            self._demanded[tenant] = self._vault.demands_seals(self._tx, tenant)
        return self._demanded[tenant]


@dataclass(frozen=True, slots=True)
class Place:
    """Something sealed in each row of a table.

    Attributes:
        name: what it is called in the report.
        rows: a table, or a query in brackets with a name.
        key: the columns by which rows are told apart and gone through.
        check: opens what is sealed, or checks the row's seal; raises VaultError, or ValueError for what it cannot read.
        where: which rows hold it.
    """

    name: str
    rows: str
    key: tuple[str, ...]
    check: Callable[[Keys, Row], object]
    where: str = "1 = 1"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not open: in which place, why, and which row."""

    place: str
    kind: str
    row: str


@dataclass(slots=True)
class Report:
    """What was found. `checked` and `problems` count by place; `shown` names the first problems."""

    checked: Counter[str] = field(default_factory=Counter)
    problems: dict[str, Counter[str]] = field(default_factory=dict)
    shown: list[Problem] = field(default_factory=list)

    @property
    def broken(self) -> int:
        """How many do not open although nobody destroyed their key."""
        return sum(many for kinds in self.problems.values() for kind, many in kinds.items() if kind != DESTROYED)

    @property
    def destroyed(self) -> int:
        """How many are left of keys that were destroyed on purpose."""
        return sum(kinds[DESTROYED] for kinds in self.problems.values())

    def add(self, problem: Problem) -> None:
        """Count one."""
        self.problems.setdefault(problem.place, Counter())[problem.kind] += 1
        if problem.kind != DESTROYED and len(self.shown) < SHOWN:
            self.shown.append(problem)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to go, so that nobody else is kept waiting: at most so many a second. None: as fast as it goes."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    per_second: float | None = None


def verify(
    read: Callable[[], AbstractContextManager[Transaction]],
    vault: Vault,
    places: Sequence[Place],
    pace: Pace,
    *,
    tell: Callable[[str, int, int], None] = lambda _place, _done, _all: None,
    drawn: Callable[[], bool] = lambda: True,
) -> Report:
    """Open everything in these places. `tell` hears the place, how many are done in all, and how many there are.

    `drawn`: asked for each row whether it is to be tried, for a sample.
    """
    report = Report()
    with read() as tx:
        every = sum(_count(tx, place) for place in places)
    began = pace.monotonic()
    for place in places:
        after: tuple[object, ...] | None = None
        while True:
            with read() as tx:
                after = _batch(tx, vault, place, after, (report, drawn))
            done = report.checked.total()
            tell(place.name, done, max(every, done))
            if after is None:
                break
            if pace.per_second:
                pace.sleep(max(0.0, done / pace.per_second - (pace.monotonic() - began)))
    return report


def kind_of(error: Exception) -> str:
    """The machine word for what went wrong."""
    return next((word for kind, word in _CLASSES if isinstance(error, kind)), "unreadable")


def _batch(
    tx: Transaction,
    vault: Vault,
    place: Place,
    after: tuple[object, ...] | None,
    into: tuple[Report, Callable[[], bool]],
) -> tuple[object, ...] | None:
    report, drawn = into
    names = {f"after{number}": value for number, value in enumerate(after or ())}
    begin = f" AND ({', '.join(place.key)}) > ({', '.join(':' + name for name in names)})" if names else ""
    rows = tx.all(
        f"SELECT * FROM {place.rows} WHERE {place.where}{begin} ORDER BY {', '.join(place.key)} LIMIT :limit",
        limit=BATCH,
        **names,
    )
    keys = Keys(tx, vault)
    for row in rows:
        if not drawn():
            continue
        error = _error(keys, place, row)
        if error is not None:
            error = _second_look(tx, vault, place, row)
        report.checked[place.name] += 1
        if error is not None:
            report.add(Problem(place.name, kind_of(error), _named(place, row)))
    return tuple(rows[-1][column] for column in place.key) if len(rows) == BATCH else None


def _second_look(tx: Transaction, vault: Vault, place: Place, row: Row) -> Exception | None:
    """Rows change while they are gone through; what counts is what is there now."""
    names: Mapping[str, object] = {f"key{number}": row[column] for number, column in enumerate(place.key)}
    same = " AND ".join(f"{column} = :key{number}" for number, column in enumerate(place.key))
    now = tx.one(f"SELECT * FROM {place.rows} WHERE {place.where} AND {same}", **names)
    return None if now is None else _error(Keys(tx, vault), place, now)


def _error(keys: Keys, place: Place, row: Row) -> Exception | None:
    try:
        place.check(keys, row)
    except (VaultError, ValueError, TypeError, KeyError) as error:  # a writer of the database may leave anything
        return error
    return None


def _named(place: Place, row: Row) -> str:
    values = (row[column] for column in place.key)
    return "/".join(value if isinstance(value, str) else bytes(value).hex()[:16] for value in values)


def _count(tx: Transaction, place: Place) -> int:
    row = tx.one(f"SELECT COUNT(*) AS many FROM {place.rows} WHERE {place.where}")
    return 0 if row is None else int(row["many"])
