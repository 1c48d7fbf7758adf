"""A contract for import-linter: a module is pure unless its name says otherwise, and imports only pure ones then."""

from fnmatch import fnmatchcase
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PureContract(Contract):
    """Every module of `packages` that no pattern of `impure` names imports no `effects` and no impure module.

    By induction nothing it needs touches the database, the network or the web framework.
    """

    packages: Any = fields.ListField(subfield=fields.StringField())
    impure: Any = fields.ListField(subfield=fields.StringField())
    effects: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare every import of every pure module with the lists."""
        own = {module for package in self.packages for module in {package, *graph.find_descendants(package)}}
        faults = sorted(
            (module, imported)
            for module in own
            if not self._impure(module)
            for imported in graph.find_modules_directly_imported_by(module)
            if self._forbidden(imported)
        )
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that makes a pure module impure."""
        for module, imported in check.metadata["faults"]:
            output.print_error(f"- {module} is pure by its name, but imports {imported}")

    def _impure(self, module: str) -> bool:
        return any(fnmatchcase(module, pattern) for pattern in self.impure)

    def _forbidden(self, imported: str) -> bool:
        return self._impure(imported) or any(
            imported == effect or imported.startswith(f"{effect}.") for effect in self.effects
        )
