"""How values of ours are kept in columns."""

from sqlalchemy import Dialect, String, Text, TypeDecorator

from inferproof.types.digest import Address, Digest


class DigestText(TypeDecorator[Digest]):
    """A Digest as 0x and 64 hex digits."""

    impl = String(66)
    cache_ok = True

    def process_bind_param(self, value: Digest | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.hex

    def process_result_value(self, value: str | None, dialect: Dialect) -> Digest | None:  # noqa: ARG002
        return None if value is None else Digest(bytes.fromhex(value[2:]))


class AddressText(TypeDecorator[Address]):
    """An Address as 0x and 40 hex digits."""

    impl = String(42)
    cache_ok = True

    def process_bind_param(self, value: Address | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.hex

    def process_result_value(self, value: str | None, dialect: Dialect) -> Address | None:  # noqa: ARG002
        return None if value is None else Address(bytes.fromhex(value[2:]))


class Uint256Text(TypeDecorator[int]):
    """A uint256 as decimal text."""

    impl = String(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class Words(TypeDecorator[str]):
    """A text for people. The character of number zero, which PostgreSQL refuses, is shown."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.replace("\0", "\u2400")
