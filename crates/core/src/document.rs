//! What kind of document a card is.

use serde::{Deserialize, Serialize};

use crate::id_number::Holder;
use crate::reading::{FieldName, Side};

/// The kind of a document. Its name is part of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// 居民身份证: a citizen's resident identity card.
    #[default]
    ResidentId,
    /// 港澳居民居住证 or 台湾居民居住证: a residence permit of a resident of Hong Kong, Macao or Taiwan (since 1 September 2018).
    HmtResidencePermit,
    /// 外国人永久居留身份证: a foreigner's permanent resident card, told by its number. Only what it has in common with the others is read.
    ForeignPermanentResident,
}

impl DocumentType {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DocumentType::ResidentId => "resident_id",
            DocumentType::HmtResidencePermit => "hmt_residence_permit",
            DocumentType::ForeignPermanentResident => "foreign_permanent_resident",
        }
    }

    /// The fields that a side of this document has, in reading order.
    pub fn fields(self, side: Side) -> &'static [FieldName] {
        use FieldName::{
            Address, Authority, BirthDate, EffectiveDate, Ethnic, Gender, IdentityNo, IssueCount, Name, PermitNumber,
        };
        match (self, side) {
            (DocumentType::ResidentId, Side::Front) => &[Name, Gender, Ethnic, BirthDate, Address, IdentityNo],
            (DocumentType::ResidentId | DocumentType::ForeignPermanentResident, Side::Back) => {
                &[Authority, EffectiveDate]
            }
            (_, Side::Front) => &[Name, Gender, BirthDate, Address, IdentityNo],
            (DocumentType::HmtResidencePermit, Side::Back) => &[Authority, EffectiveDate, PermitNumber, IssueCount],
        }
    }

    /// The document that bears a number of this holder.
    pub fn of_holder(holder: Holder) -> DocumentType {
        match holder {
            Holder::Mainland => DocumentType::ResidentId,
            Holder::HongKong | Holder::Macau | Holder::Taiwan => DocumentType::HmtResidencePermit,
            Holder::ForeignPermanentResident { .. } => DocumentType::ForeignPermanentResident,
        }
    }

    /// The title on the card, as the documented service's `cType` gives it. Permits have one of two, which the holder decides.
    pub fn title(self, holder: Option<Holder>) -> &'static str {
        match (self, holder) {
            (DocumentType::ResidentId, _) => "居民身份证",
            (DocumentType::HmtResidencePermit, Some(Holder::HongKong | Holder::Macau)) => "港澳居民居住证",
            (DocumentType::HmtResidencePermit, Some(Holder::Taiwan)) => "台湾居民居住证",
            (DocumentType::HmtResidencePermit, _) => "港澳台居民居住证",
            (DocumentType::ForeignPermanentResident, _) => "外国人永久居留身份证",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DocumentType; 3] =
        [DocumentType::ResidentId, DocumentType::HmtResidencePermit, DocumentType::ForeignPermanentResident];

    #[test]
    fn names_are_those_of_the_json() {
        for document in ALL {
            assert_eq!(serde_json::to_value(document).unwrap(), document.as_str());
        }
    }

    #[test]
    fn fields_of_a_document_stand_on_its_side() {
        for document in ALL {
            for side in [Side::Front, Side::Back] {
                assert!(document.fields(side).iter().all(|field| FieldName::of_side(side).contains(field)));
            }
        }
    }
}
