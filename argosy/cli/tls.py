"""HTTPS, and mutual TLS between services."""

import ssl

from argosy.settings import NetworkSettings


class TlsUnusable(Exception):
    """The certificate, its key or the authorities cannot be used."""


def tls_context(network: NetworkSettings) -> ssl.SSLContext | None:
    """Return the server's side of TLS, or None for plain HTTP. Raises `TlsUnusable`.

    With authorities, a client needs a certificate of theirs. TLS 1.0 and 1.1 are not spoken (RFC 8996).
    """
    if network.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password makes an encrypted key an error, where none would ask on the terminal.
        context.load_cert_chain(network.tls_certificate, network.tls_key, password="")
        if network.tls_client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(network.tls_client_ca)
    except OSError as error:
        raise TlsUnusable(f"TLS cannot be served with these files: {error.strerror or error}") from error
    return context
