"""Identity and security: codes, clients, signing keys, browser sessions, invitations, the audit log.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import argosy.kit.db.types

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column(
            "details",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(
        "ix_audit_entries_organization_id_action", "audit_entries", ["organization_id", "action"], unique=False
    )
    op.create_index(
        "ix_audit_entries_organization_id_actor_id", "audit_entries", ["organization_id", "actor_id"], unique=False
    )
    op.create_index(
        "uq_audit_entries_organization_id_sequence", "audit_entries", ["organization_id", "sequence"], unique=True
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("expires_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_revoked_tokens")),
    )
    op.create_index(op.f("ix_revoked_tokens_expires_at"), "revoked_tokens", ["expires_at"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("private_key", sa.String(), nullable=False),
        sa.Column(
            "public_key",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("created_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("verify_until", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "account_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "verify_email",
                "reset_password",
                name="code_purpose",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("expires_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("used_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column("created_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_account_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_account_codes_code_hash")),
    )
    op.create_index(op.f("ix_account_codes_user_id"), "account_codes", ["user_id"], unique=False)
    op.create_table(
        "authorization_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("code_challenge", sa.String(), nullable=False),
        sa.Column(
            "scopes",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("expires_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_authorization_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_authorization_codes_code_hash")),
    )
    op.create_index(op.f("ix_authorization_codes_expires_at"), "authorization_codes", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authorization_codes_user_id"), "authorization_codes", ["user_id"], unique=False)
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("created_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "owner",
                "admin",
                "developer",
                "viewer",
                name="invitation_role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("expires_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_invitations_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invitations_code_hash")),
    )
    op.create_index(op.f("ix_invitations_organization_id"), "invitations", ["organization_id"], unique=False)
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("former_hash", sa.String(), nullable=True),
        sa.Column("former_until", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column(
            "scopes",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column(
            "redirect_uris",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("last_used_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_oauth_clients_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("client_id", name=op.f("uq_oauth_clients_client_id")),
    )
    op.create_index(op.f("ix_oauth_clients_organization_id"), "oauth_clients", ["organization_id"], unique=False)
    op.add_column("api_keys", sa.Column("suffix", sa.String(), server_default="", nullable=False))
    op.add_column("api_keys", sa.Column("former_hash", sa.String(), nullable=True))
    op.add_column("api_keys", sa.Column("former_until", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True))
    op.add_column(
        "api_keys",
        sa.Column(
            "models",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=True,
        ),
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "networks",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=True,
        ),
    )
    op.add_column("api_keys", sa.Column("last_used_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_api_keys_former_hash"), "api_keys", ["former_hash"], unique=True)
    op.add_column("events", sa.Column("actor_kind", sa.String(), nullable=True))
    op.add_column("events", sa.Column("actor_id", sa.Uuid(), nullable=True))
    op.add_column("events", sa.Column("address", sa.String(), nullable=True))
    op.add_column("events", sa.Column("user_agent", sa.String(), nullable=True))
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("kind", sa.String(32), server_default="token", nullable=False))
        sessions.create_check_constraint(
            op.f("ck_sessions_session_kind"), sa.text("kind IN ('token', 'browser')"), postgresql_not_valid=True
        )
    op.add_column(
        "sessions",
        sa.Column(
            "scopes",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=True,
        ),
    )
    op.add_column("sessions", sa.Column("client_id", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("address", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("user_agent", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("last_seen_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True))
    op.add_column(
        "users", sa.Column("email_verified_at", argosy.kit.db.types.UTCDateTime(timezone=True), nullable=True)
    )
    op.add_column("users", sa.Column("failed_sign_ins", sa.Integer(), server_default="0", nullable=False))
    with op.batch_alter_table("users") as users:
        users.alter_column("password_hash", existing_type=sa.String(), nullable=True)
        users.drop_constraint(op.f("uq_users_email"), type_="unique")
    op.create_index("ix_users_email", "users", ["email"], unique=False)
    op.create_index(
        "uq_users_verified_email",
        "users",
        ["email"],
        unique=True,
        sqlite_where=sa.text("email_verified_at IS NOT NULL"),
        postgresql_where=sa.text("email_verified_at IS NOT NULL"),
    )
    _allow_principals("user", "api_key", "client")


def _allow_principals(*kinds: str) -> None:
    """Replace the check on who a usage record may be about; not validated, as no row there can fail it."""
    name = op.f("ck_usage_records_principal_kind")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("usage_records") as usage:
        usage.drop_constraint(name, type_="check")
        usage.create_check_constraint(name, sa.text(f"principal_kind IN ({listed})"), postgresql_not_valid=True)


def downgrade() -> None:
    op.execute("DELETE FROM usage_records WHERE principal_kind = 'client'")
    # The former release needs a hash, which no password has, and one account an address.
    op.execute("UPDATE users SET password_hash = '!' WHERE password_hash IS NULL")
    op.execute(
        "UPDATE users SET email = CAST(id AS VARCHAR) || '@unverified.invalid' WHERE email_verified_at IS NULL "
        "AND email IN (SELECT email FROM users GROUP BY email HAVING COUNT(*) > 1)"
    )
    _allow_principals("user", "api_key")
    op.drop_index(
        "uq_users_verified_email",
        table_name="users",
        sqlite_where=sa.text("email_verified_at IS NOT NULL"),
        postgresql_where=sa.text("email_verified_at IS NOT NULL"),
    )
    op.drop_index("ix_users_email", table_name="users")
    with op.batch_alter_table("users") as users:
        users.create_unique_constraint(op.f("uq_users_email"), ["email"])
        users.alter_column("password_hash", existing_type=sa.String(), nullable=False)
        users.drop_column("failed_sign_ins")
        users.drop_column("email_verified_at")
    op.drop_column("sessions", "last_seen_at")
    op.drop_column("sessions", "user_agent")
    op.drop_column("sessions", "address")
    op.drop_column("sessions", "client_id")
    op.drop_column("sessions", "scopes")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_constraint(op.f("ck_sessions_session_kind"), type_="check")
        sessions.drop_column("kind")
    op.drop_column("events", "user_agent")
    op.drop_column("events", "address")
    op.drop_column("events", "actor_id")
    op.drop_column("events", "actor_kind")
    op.drop_index(op.f("ix_api_keys_former_hash"), table_name="api_keys")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("api_keys", "networks")
    op.drop_column("api_keys", "models")
    op.drop_column("api_keys", "former_until")
    op.drop_column("api_keys", "former_hash")
    op.drop_column("api_keys", "suffix")
    op.drop_index(op.f("ix_oauth_clients_organization_id"), table_name="oauth_clients")
    op.drop_table("oauth_clients")
    op.drop_index(op.f("ix_invitations_organization_id"), table_name="invitations")
    op.drop_table("invitations")
    op.drop_index(op.f("ix_identities_user_id"), table_name="identities")
    op.drop_table("identities")
    op.drop_index(op.f("ix_authorization_codes_user_id"), table_name="authorization_codes")
    op.drop_index(op.f("ix_authorization_codes_expires_at"), table_name="authorization_codes")
    op.drop_table("authorization_codes")
    op.drop_index(op.f("ix_account_codes_user_id"), table_name="account_codes")
    op.drop_table("account_codes")
    op.drop_table("signing_keys")
    op.drop_index(op.f("ix_revoked_tokens_expires_at"), table_name="revoked_tokens")
    op.drop_table("revoked_tokens")
    op.drop_index("uq_audit_entries_organization_id_sequence", table_name="audit_entries")
    op.drop_index("ix_audit_entries_organization_id_actor_id", table_name="audit_entries")
    op.drop_index("ix_audit_entries_organization_id_action", table_name="audit_entries")
    op.drop_table("audit_entries")
    op.drop_table("audit_chains")
