//! What can go wrong with object storage, sorted by what to do about it.

use std::{error::Error as StdError, io, time::Duration};

use object_store::client::HttpError;
use thiserror::Error;

use super::wire::Answer;

/// Why an operation on object storage failed. No variant holds an access key, a signature or an object's content.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The object is larger than we hold in memory.
    #[error("object storage, {operation}: {bytes} bytes are more than the {most} allowed")]
    TooLarge {
        /// What was to be done.
        operation: &'static str,
        /// How large it is, or how much of it was seen.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
    /// What was given as the content type is none.
    #[error("object storage, {operation}: the content type is not of the form type/subtype")]
    ContentType {
        /// What was to be done.
        operation: &'static str,
    },
    /// No address holds for so short or so long.
    #[error("object storage, {operation}: an address holds from a second to a week, not {lifetime:?}")]
    Lifetime {
        /// What was to be done.
        operation: &'static str,
        /// How long it was to hold.
        lifetime: Duration,
    },
    /// Our keys are wrong or not allowed to do this; or the folder is not ours.
    #[error("object storage, {operation}: refused")]
    Refused {
        /// What was to be done.
        operation: &'static str,
        /// Who refused.
        source: Cause,
    },
    /// It cannot be done now. Try again.
    #[error("object storage, {operation}: no usable answer")]
    Unavailable {
        /// What was to be done.
        operation: &'static str,
        /// What came instead.
        source: Cause,
    },
    /// Not done within the time one operation may take. Try again.
    #[error("object storage, {operation}: not done within {patience:?}")]
    TimedOut {
        /// What was to be done.
        operation: &'static str,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It cannot be done, and will not be next time.
    #[error("object storage, {operation}: failed")]
    Failed {
        /// What was to be done.
        operation: &'static str,
        /// Why.
        source: Cause,
    },
    /// What was just written was not there to be read.
    #[error("object storage, {operation}: what was written is not what is read")]
    Forgetful {
        /// What was to be done.
        operation: &'static str,
    },
}

/// What is behind a [`StorageError`].
#[derive(Debug, Error)]
pub enum Cause {
    /// The store said no.
    #[error(transparent)]
    Answer(Answer),
    /// There was no answer, or none that could be read.
    #[error("the request failed")]
    Request(#[source] Box<object_store::Error>),
    /// A file or a folder.
    #[error("the disk failed")]
    Disk(#[source] io::Error),
}

impl StorageError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::TimedOut { .. } => true,
            Self::TooLarge { .. }
            | Self::ContentType { .. }
            | Self::Lifetime { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Forgetful { .. } => false,
        }
    }

    /// What was to be done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::TooLarge { operation, .. }
            | Self::ContentType { operation }
            | Self::Lifetime { operation, .. }
            | Self::Refused { operation, .. }
            | Self::Unavailable { operation, .. }
            | Self::TimedOut { operation, .. }
            | Self::Failed { operation, .. }
            | Self::Forgetful { operation } => operation,
        }
    }

    pub(super) fn of_disk(operation: &'static str, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let kind = error.kind();
        let source = Cause::Disk(error);
        match kind {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Refused { operation, source },
            // There is something else under that name.
            Kind::AlreadyExists | Kind::NotADirectory | Kind::IsADirectory | Kind::DirectoryNotEmpty => {
                Self::Failed { operation, source }
            }
            // Full, broken, busy: somebody will see to it.
            _ => Self::Unavailable { operation, source },
        }
    }

    pub(super) fn of_library(operation: &'static str, error: object_store::Error) -> Self {
        if let Some(answer) = within::<Answer>(&error) {
            let source = Cause::Answer(answer.clone());
            return if answer.is_transient() {
                Self::Unavailable { operation, source }
            } else if answer.is_refusal() {
                Self::Refused { operation, source }
            } else {
                Self::Failed { operation, source }
            };
        }
        let lost = within::<HttpError>(&error).is_some();
        let source = Cause::Request(Box::new(error));
        if lost { Self::Unavailable { operation, source } } else { Self::Failed { operation, source } }
    }
}

/// The first of its type among an error and its sources.
fn within<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}
