//! The kinds of objects that a schema consists of, and their words.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! kinds {
    ($($name:ident $words:literal $sql:literal)*) => {
        /// A kind of object, in the order in which objects are made when nothing else decides.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $(#[doc = concat!("A ", $words, ".")] $name,)*
        }

        impl Kind {
            /// All kinds, in their order.
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];

            /// What people call it.
            pub fn words(self) -> &'static str {
                match self { $(Kind::$name => $words,)* }
            }

            /// What statements call it.
            pub(crate) fn sql(self) -> &'static str {
                match self { $(Kind::$name => $sql,)* }
            }
        }
    };
}

kinds! {
    Schema "schema" "SCHEMA"
    Extension "extension" "EXTENSION"
    AccessMethod "access method" "ACCESS METHOD"
    Collation "collation" "COLLATION"
    Conversion "conversion" "CONVERSION"
    Enum "enum" "TYPE"
    CompositeType "composite type" "TYPE"
    Attribute "attribute" "ATTRIBUTE"
    Domain "domain" "DOMAIN"
    DomainConstraint "domain constraint" "CONSTRAINT"
    Range "range" "TYPE"
    BaseType "base type" "TYPE"
    Function "function" "FUNCTION"
    Procedure "procedure" "PROCEDURE"
    Aggregate "aggregate" "AGGREGATE"
    Operator "operator" "OPERATOR"
    OperatorFamily "operator family" "OPERATOR FAMILY"
    OperatorClass "operator class" "OPERATOR CLASS"
    Cast "cast" "CAST"
    Language "language" "LANGUAGE"
    Transform "transform" "TRANSFORM"
    TextSearchParser "text search parser" "TEXT SEARCH PARSER"
    TextSearchTemplate "text search template" "TEXT SEARCH TEMPLATE"
    TextSearchDictionary "text search dictionary" "TEXT SEARCH DICTIONARY"
    TextSearchConfiguration "text search configuration" "TEXT SEARCH CONFIGURATION"
    ForeignDataWrapper "foreign data wrapper" "FOREIGN DATA WRAPPER"
    Server "server" "SERVER"
    UserMapping "user mapping" "USER MAPPING"
    Sequence "sequence" "SEQUENCE"
    Table "table" "TABLE"
    ForeignTable "foreign table" "FOREIGN TABLE"
    Column "column" "COLUMN"
    Default "default" "DEFAULT"
    View "view" "VIEW"
    MaterializedView "materialized view" "MATERIALIZED VIEW"
    Constraint "constraint" "CONSTRAINT"
    Index "index" "INDEX"
    Statistics "statistics" "STATISTICS"
    Rule "rule" "RULE"
    Trigger "trigger" "TRIGGER"
    Policy "policy" "POLICY"
    Publication "publication" "PUBLICATION"
    Subscription "subscription" "SUBSCRIPTION"
    EventTrigger "event trigger" "EVENT TRIGGER"
    DefaultPrivileges "default privileges" "DEFAULT PRIVILEGES"
}

impl Kind {
    /// Whether dropping one destroys what no definition brings back.
    pub fn holds_data(self) -> bool {
        matches!(self, Kind::Table | Kind::Column | Kind::Sequence)
    }

    /// Whether it comes and goes in the statements of what it is part of.
    pub(crate) fn is_part(self) -> bool {
        matches!(self, Kind::Column | Kind::Attribute)
    }

    /// Objects of one family cannot share a name.
    pub(crate) fn family(self) -> Option<&'static str> {
        match self {
            Kind::Table
            | Kind::ForeignTable
            | Kind::View
            | Kind::MaterializedView
            | Kind::Sequence
            | Kind::Index
            | Kind::CompositeType
            | Kind::Enum
            | Kind::Domain
            | Kind::Range
            | Kind::BaseType => Some("relation"),
            Kind::Function | Kind::Procedure | Kind::Aggregate => Some("routine"),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
