//! A client certificate written field by field (RFC 5280 section 4.1), since rcgen keeps one value
//! for each kind of name and a user has several groups. Must not know who may have one.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use sha2::{Digest, Sha256};
use yasna::models::ObjectIdentifier;
use yasna::tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME};
use yasna::{DERWriter, DERWriterSeq, Tag};

use super::certificate::CertificateInfo;
use super::client::Subject;

/// RFC 5280: dates from this year on are `GeneralizedTime`.
const FIRST_GENERALIZED_YEAR: i16 = 2050;

const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY_ID: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const CLIENT_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];

/// What is signed: `TBSCertificate` of RFC 5280 section 4.1.
pub(super) struct TbsCertificate<'a> {
    pub subject: &'a Subject,
    pub issuer: &'a CertificateInfo,
    pub start: Timestamp,
    pub end: Timestamp,
    pub key: &'a KeyPair,
}

impl TbsCertificate<'_> {
    /// The certificate in DER form, signed by `signer`.
    pub(super) fn sign(&self, signer: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
        let body = yasna::construct_der(|writer| writer.write_sequence(|seq| self.write(seq)));
        let signature = signer.sign(&body)?;
        Ok(yasna::construct_der(|writer| {
            writer.write_sequence(|seq| {
                seq.next().write_der(&body);
                write_algorithm(seq.next());
                seq.next()
                    .write_bitvec_bytes(&signature, signature.len() * 8);
            });
        }))
    }

    fn write(&self, seq: &mut DERWriterSeq<'_>) {
        const VERSION_3: u8 = 2;
        seq.next()
            .write_tagged(Tag::context(0), |writer| writer.write_u8(VERSION_3));
        seq.next().write_bigint_bytes(&self.serial(), true);
        write_algorithm(seq.next());
        seq.next().write_der(&self.issuer.subject_der);
        seq.next().write_sequence(|validity| {
            write_time(validity.next(), self.start);
            write_time(validity.next(), self.end);
        });
        seq.next().write_sequence(|names| {
            for group in self.subject.groups() {
                write_name(names.next(), ORGANIZATION, group);
            }
            write_name(names.next(), COMMON_NAME, self.subject.user());
        });
        seq.next().write_der(&self.key.subject_public_key_info());
        seq.next().write_tagged(Tag::context(3), |writer| {
            writer.write_sequence(|extensions| self.write_extensions(extensions));
        });
    }

    /// Random, since it comes from a key that was made at random a moment ago; 158 bits, positive.
    fn serial(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = Sha256::digest(self.key.der_bytes())
            .into_iter()
            .take(20)
            .collect();
        if let Some(first) = bytes.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        bytes
    }

    fn write_extensions(&self, extensions: &mut DERWriterSeq<'_>) {
        write_extension(extensions.next(), KEY_USAGE, Critical::Yes, |writer| {
            // digitalSignature is the first bit.
            writer.write_bitvec_bytes(&[0x80], 1);
        });
        write_extension(
            extensions.next(),
            EXTENDED_KEY_USAGE,
            Critical::No,
            |writer| {
                writer.write_sequence(|uses| write_oid(uses.next(), CLIENT_AUTH));
            },
        );
        // An empty sequence is "not an authority".
        write_extension(
            extensions.next(),
            BASIC_CONSTRAINTS,
            Critical::Yes,
            |writer| {
                writer.write_sequence(|_| ());
            },
        );
        if let Some(id) = &self.issuer.key_id {
            write_extension(
                extensions.next(),
                AUTHORITY_KEY_ID,
                Critical::No,
                |writer| {
                    writer.write_sequence(|seq| {
                        seq.next().write_tagged_implicit(Tag::context(0), |writer| {
                            writer.write_bytes(id);
                        });
                    });
                },
            );
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Critical {
    Yes,
    No,
}

fn write_extension(
    writer: DERWriter<'_>,
    oid: &[u64],
    critical: Critical,
    content: impl FnOnce(DERWriter<'_>),
) {
    writer.write_sequence(|seq| {
        write_oid(seq.next(), oid);
        if critical == Critical::Yes {
            seq.next().write_bool(true);
        }
        seq.next().write_bytes(&yasna::construct_der(content));
    });
}

fn write_algorithm(writer: DERWriter<'_>) {
    writer.write_sequence(|seq| write_oid(seq.next(), ECDSA_WITH_SHA256));
}

fn write_name(writer: DERWriter<'_>, oid: &[u64], value: &str) {
    writer.write_set(|set| {
        set.next().write_sequence(|seq| {
            write_oid(seq.next(), oid);
            seq.next().write_utf8_string(value);
        });
    });
}

fn write_oid(writer: DERWriter<'_>, oid: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(oid));
}

/// RFC 5280 section 4.1.2.5: two digits of the year before 2050, four from then on.
fn write_time(writer: DERWriter<'_>, at: Timestamp) {
    let at = at.to_zoned(TimeZone::UTC);
    let (tag, format) = if at.year() < FIRST_GENERALIZED_YEAR {
        (TAG_UTCTIME, "%y%m%d%H%M%SZ")
    } else {
        (TAG_GENERALIZEDTIME, "%Y%m%d%H%M%SZ")
    };
    let text = at.strftime(format).to_string();
    writer.write_tagged_implicit(tag, |writer| writer.write_bytes(text.as_bytes()));
}
