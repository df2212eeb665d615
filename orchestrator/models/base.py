"""Metadata with a constraint naming convention, and the column types that every table shares."""

from sqlalchemy import DateTime, MetaData, Uuid

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMES)

Id = Uuid(as_uuid=True)
Instant = DateTime(timezone=True)
