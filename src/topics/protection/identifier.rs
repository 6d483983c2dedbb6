//! Managed data identifiers: those that can be recognised by their form. Names and keywords are those of the SNS developer
//! guide, "Sensitive data types".
use crate::topics::protection::phone::Country;

/// Words near a phone number.
const PHONE: [&str; 10] =
    ["cell", "contact", "fax", "fax number", "mobile", "phone", "phone number", "tel", "telephone", "telephone number"];
/// The same in Brazil.
const PHONE_BR: [&str; 17] = [
    "cell",
    "contact",
    "fax",
    "fax number",
    "mobile",
    "phone",
    "phone number",
    "tel",
    "telephone",
    "telephone number",
    "cel",
    "celular",
    "fone",
    "móvel",
    "número residencial",
    "numero residencial",
    "telefone",
];
/// Words near a card's number.
const CARD: [&str; 39] = [
    "account number",
    "american express",
    "amex",
    "bank card",
    "card",
    "card num",
    "card number",
    "cc #",
    "ccn",
    "check card",
    "credit",
    "credit card",
    "credit card#",
    "dankort",
    "debit",
    "debit card",
    "diners club",
    "discover",
    "electron",
    "elo verification code",
    "japanese card bureau",
    "jcb",
    "mastercard",
    "mc",
    "pan",
    "payment account number",
    "payment card number",
    "pcn",
    "union pay",
    "visa",
    "cards",
    "credit cards",
    "debit cards",
    "card no",
    "card no.",
    "card #",
    "cc number",
    "cc num",
    "cc no",
];
/// Words near a bank account's number.
const BANK: [&str; 28] = [
    "account code",
    "account number",
    "accountno#",
    "accountnumber#",
    "bban",
    "customer account id",
    "customer account number",
    "customer bank account id",
    "iban",
    "sepa",
    "bankleitzahl",
    "geheimzahl",
    "kartennummer",
    "kontonummer",
    "kreditkartennummer",
    "code bancaire",
    "compte bancaire",
    "numéro de compte",
    "codice bancario",
    "conto bancario",
    "numero di conto",
    "código cuenta",
    "código cuenta bancaria",
    "cuenta cliente id",
    "número cuenta bancaria cliente",
    "número cuenta cliente",
    "bank account",
    "bank account number",
];
const SSN: [&str; 5] = ["social security", "social security number", "social security no", "ss#", "ssn"];
const SECRET: [&str; 5] =
    ["aws_secret_access_key", "credentials", "secret access key", "secret key", "set-awscredential"];
const CPF: [&str; 5] = [
    "cadastro de pessoas fisicas",
    "cadastro de pessoas físicas",
    "cadastro de pessoa física",
    "cadastro de pessoa fisica",
    "cpf",
];
const CNPJ: [&str; 3] = ["cadastro nacional da pessoa jurídica", "cadastro nacional da pessoa juridica", "cnpj"];
const SIN: [&str; 4] = ["canadian id", "numéro d'assurance sociale", "social insurance number", "sin"];

/// What is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Identifier {
    /// An address of mail.
    EmailAddress,
    /// An address of IPv4 or IPv6.
    IpAddress,
    /// The number of a credit or debit card.
    CreditCardNumber,
    /// A phone number of any of the countries that are known here, or in the international form.
    PhoneNumber,
    /// A phone number of one country.
    PhoneNumberOf(Country),
    /// A US Social Security number.
    SsnUs,
    /// An IBAN of one country: its code, and the IBAN's length.
    BankAccountNumber(&'static str, usize),
    /// A Brazilian number of a person.
    CpfCodeBr,
    /// A Brazilian number of a company.
    CnpjBr,
    /// A Canadian social insurance number.
    SocialInsuranceNumberCa,
    /// The secret of an AWS access key.
    AwsSecretKey,
    /// A private key of OpenSSH.
    OpenSshPrivateKey,
    /// A private key of PGP.
    PgpPrivateKey,
    /// A private key in PEM.
    PkcsPrivateKey,
    /// A private key of PuTTY.
    PuttyPrivateKey,
}

/// All of them, by the last part of their ARNs.
const ALL: [(&str, Identifier); 25] = [
    ("EmailAddress", Identifier::EmailAddress),
    ("IpAddress", Identifier::IpAddress),
    ("CreditCardNumber", Identifier::CreditCardNumber),
    ("PhoneNumber", Identifier::PhoneNumber),
    ("PhoneNumber-BR", Identifier::PhoneNumberOf(Country::Brazil)),
    ("PhoneNumber-DE", Identifier::PhoneNumberOf(Country::Germany)),
    ("PhoneNumber-ES", Identifier::PhoneNumberOf(Country::Spain)),
    ("PhoneNumber-FR", Identifier::PhoneNumberOf(Country::France)),
    ("PhoneNumber-GB", Identifier::PhoneNumberOf(Country::Britain)),
    ("PhoneNumber-IT", Identifier::PhoneNumberOf(Country::Italy)),
    ("PhoneNumber-US", Identifier::PhoneNumberOf(Country::America)),
    ("Ssn-US", Identifier::SsnUs),
    ("BankAccountNumber-DE", Identifier::BankAccountNumber("DE", 22)),
    ("BankAccountNumber-ES", Identifier::BankAccountNumber("ES", 24)),
    ("BankAccountNumber-FR", Identifier::BankAccountNumber("FR", 27)),
    ("BankAccountNumber-GB", Identifier::BankAccountNumber("GB", 22)),
    ("BankAccountNumber-IT", Identifier::BankAccountNumber("IT", 27)),
    ("CpfCode-BR", Identifier::CpfCodeBr),
    ("Cnpj-BR", Identifier::CnpjBr),
    ("SocialInsuranceNumber-CA", Identifier::SocialInsuranceNumberCa),
    ("AwsSecretKey", Identifier::AwsSecretKey),
    ("OpenSshPrivateKey", Identifier::OpenSshPrivateKey),
    ("PgpPrivateKey", Identifier::PgpPrivateKey),
    ("PkcsPrivateKey", Identifier::PkcsPrivateKey),
    ("PuttyPrivateKey", Identifier::PuttyPrivateKey),
];

impl Identifier {
    /// Reads a managed identifier's ARN, `arn:aws:dataprotection::aws:data-identifier/NAME`. `None` for one that cannot be
    /// recognised here.
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let (partition, name) = arn.strip_prefix("arn:")?.split_once(":dataprotection::aws:data-identifier/")?;
        let known = matches!(partition, "aws" | "aws-cn" | "aws-us-gov");
        ALL.iter().find(|(known_name, _)| known && *known_name == name).map(|(_, identifier)| *identifier)
    }

    /// The last part of its ARN.
    pub(crate) fn name(self) -> &'static str {
        ALL.iter().find(|(_, identifier)| *identifier == self).map_or("", |(name, _)| name)
    }

    /// The words near it; empty where none are needed.
    pub(super) fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::CreditCardNumber => &CARD,
            Self::PhoneNumberOf(Country::Brazil) | Self::PhoneNumber => &PHONE_BR,
            Self::PhoneNumberOf(_) => &PHONE,
            Self::SsnUs => &SSN,
            Self::BankAccountNumber(..) => &BANK,
            Self::CpfCodeBr => &CPF,
            Self::CnpjBr => &CNPJ,
            Self::SocialInsuranceNumberCa => &SIN,
            Self::AwsSecretKey => &SECRET,
            _ => &[],
        }
    }

    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        ALL.iter().map(|(_, identifier)| *identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_awss_arns() {
        for (name, identifier) in ALL {
            let arn = format!("arn:aws:dataprotection::aws:data-identifier/{name}");
            assert_eq!((Identifier::parse(&arn), identifier.name()), (Some(identifier), name));
        }
        for unknown in [
            "arn:aws:dataprotection::aws:data-identifier/Name",
            "arn:aws:dataprotection::aws:data-identifier/emailaddress",
            "arn:aws:dataprotection:us-east-1:aws:data-identifier/EmailAddress",
            "EmailAddress",
            "",
        ] {
            assert_eq!(Identifier::parse(unknown), None, "{unknown}");
        }
    }
}
