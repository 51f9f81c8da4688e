"""Money: whole minor units and a currency of ISO 4217. No fractions, so nothing is ever rounded."""

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, computed_field

from argosy.kit.schemas import RequestSchema, Schema

MAX_AMOUNT = 10**12
_WITH_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
        "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
        "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU "
        "MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
        "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED "
        "VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_UNITS: dict[str, int] = {code: digits for digits, codes in _WITH_DIGITS.items() for code in codes.split()}


def _known(code: str) -> str:
    if code not in MINOR_UNITS:
        raise ValueError("must be a currency of ISO 4217, in capitals")
    return code


Currency = Annotated[
    str,
    AfterValidator(_known),
    Field(min_length=3, max_length=3, pattern="^[A-Z]{3}$", description="ISO 4217.", examples=["EUR"]),
]
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT, description="In minor units, such as cents.", examples=[1999])]


class Price(RequestSchema):
    """What something costs: more than nothing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1999, "currency": "EUR"}]})

    amount: Annotated[int, Field(gt=0, le=MAX_AMOUNT, description="In minor units, such as cents.", examples=[1999])]
    currency: Currency


class Money(Schema):
    """An amount of money."""

    amount: int = Field(description="In minor units, such as cents.", examples=[1999])
    currency: str = Field(examples=["EUR"])

    @computed_field(examples=[2])  # type: ignore[prop-decorator] # as Pydantic documents it
    @property
    def minor_units(self) -> int:
        """How many digits of the amount are behind the decimal point."""
        return MINOR_UNITS[self.currency]

    @classmethod
    def of(cls, amount: int, currency: str) -> Self:
        """Return an amount of a currency."""
        return cls(amount=amount, currency=currency)


def written(amount: int, currency: str) -> str:
    """Return an amount for people to read, such as `19.99 EUR`."""
    digits = MINOR_UNITS[currency]
    whole, part = divmod(amount, 10**digits)
    return f"{whole}.{part:0{digits}d} {currency}" if digits else f"{whole} {currency}"
