use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trading::{Settings, StrategyKind};

/// Settings to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Each combination of values that makes sense.
    pub variants: Vec<Variant>,
    /// How many combinations make none, such as a fast average slower than the slow one.
    pub senseless: usize,
}

/// One combination of values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variant {
    /// What was put in place of the settings' own, by their names with dots.
    pub values: Map<String, Value>,
    /// Which strategy.
    #[serde(skip)]
    pub strategy: StrategyKind,
    /// With which settings.
    #[serde(skip)]
    pub settings: Arc<Settings>,
}

/// A grid that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrid {
    /// It is not an object of lists.
    #[error("{path}: must be a list of at least one value")]
    NotAList {
        /// Which name.
        path: String,
    },
    /// There is no such setting.
    #[error("{path}: there is no such setting")]
    Unknown {
        /// Which name.
        path: String,
    },
    /// It is not a value of that setting.
    #[error("{path}: {value} is no value for it{}", example.as_ref().map(|it| format!(", as {it} is")).unwrap_or_default())]
    Value {
        /// Which name.
        path: String,
        /// What was to be its value.
        value: Value,
        /// A value that it can have.
        example: Option<Value>,
    },
    /// Nothing is compared.
    #[error("there is nothing to compare: no setting is named")]
    Empty,
    /// There are too many.
    #[error("there are more than {} combinations", Grid::MOST)]
    TooMany,
    /// None of the combinations makes sense; what is wrong with the last of them.
    #[error("no combination makes sense: {0}")]
    None(String),
}

impl Grid {
    /// Combinations at the most.
    pub const MOST: usize = 100_000;

    /// All combinations of the lists in a JSON object such as
    /// `{"trend.fast": [5, 9], "stop_atr": [1, 1.5, 2]}`. What it does not name is as in
    /// `settings`. `strategy` is a name, too.
    ///
    /// # Errors
    /// [`InvalidGrid`], naming what is wrong with it.
    pub fn of(lists: &Map<String, Value>, strategy: StrategyKind, settings: &Settings) -> Result<Self, InvalidGrid> {
        if lists.is_empty() {
            return Err(InvalidGrid::Empty);
        }
        let base = serde_json::json!(settings);
        let mut axes = Vec::new();
        for (path, list) in lists {
            let list = list.as_array().filter(|list| !list.is_empty());
            let list = list.ok_or_else(|| InvalidGrid::NotAList { path: path.clone() })?;
            for value in list {
                with(&base, strategy, path, value)?;
            }
            axes.push((path, list));
        }
        let count = axes.iter().fold(1_usize, |count, (_, list)| count.saturating_mul(list.len()));
        if count > Self::MOST {
            return Err(InvalidGrid::TooMany);
        }
        let mut grid = Self { variants: Vec::new(), senseless: 0 };
        let mut wrong = String::new();
        for number in 0..count {
            let (mut rest, mut at, mut kind, mut values) = (number, base.clone(), strategy, Map::new());
            for (path, list) in axes.iter().rev() {
                let value = &list[rest % list.len()];
                rest /= list.len();
                (at, kind) = with(&at, kind, path, value)?;
                values.insert((*path).clone(), value.clone());
            }
            let settings = read(&at).ok_or_else(|| InvalidGrid::None("they do not go together".to_owned()))?;
            match settings.check() {
                Ok(()) => {
                    grid.variants.push(Variant { values, strategy: kind, settings: Arc::new(settings) });
                }
                Err(error) => {
                    grid.senseless += 1;
                    wrong = error.to_string();
                }
            }
        }
        if grid.variants.is_empty() { Err(InvalidGrid::None(wrong)) } else { Ok(grid) }
    }
}

/// The settings with a value in place of their own, and the strategy.
fn with(
    settings: &Value,
    strategy: StrategyKind,
    path: &str,
    value: &Value,
) -> Result<(Value, StrategyKind), InvalidGrid> {
    if path != "strategy" {
        return Ok((put(settings, path, value)?, strategy));
    }
    let kind = StrategyKind::deserialize(value).map_err(|_| InvalidGrid::Value {
        path: path.to_owned(),
        value: value.clone(),
        example: Some(serde_json::json!(strategy)),
    })?;
    Ok((settings.clone(), kind))
}

/// Settings, as JSON, with another value for the one of this name (with dots).
///
/// # Errors
/// [`InvalidGrid`], when there is no such setting or that is no value for it.
pub fn put(settings: &Value, path: &str, value: &Value) -> Result<Value, InvalidGrid> {
    let unknown = || InvalidGrid::Unknown { path: path.to_owned() };
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, name) = pointer.rsplit_once('/').ok_or_else(unknown)?;
    let mut changed = settings.clone();
    let place = changed.pointer_mut(parent).and_then(Value::as_object_mut).ok_or_else(unknown)?;
    place.insert(name.to_owned(), value.clone());
    let example = settings.pointer(&pointer).filter(|value| !value.is_null()).cloned();
    let known =
        read(&changed).ok_or_else(|| InvalidGrid::Value { path: path.to_owned(), value: value.clone(), example })?;
    // A name that the settings do not know is not written again, unless it was null, for none.
    let written = serde_json::json!(known);
    let is_known = written.pointer(&pointer).is_some() || (value.is_null() && settings.pointer(&pointer).is_some());
    if is_known { Ok(changed) } else { Err(unknown()) }
}

fn read(settings: &Value) -> Option<Settings> {
    Settings::deserialize(settings).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grid(lists: &Value) -> Result<Grid, InvalidGrid> {
        Grid::of(lists.as_object().unwrap(), StrategyKind::Trend, &Settings::default())
    }

    #[test]
    fn all_combinations_that_make_sense_are_tried() {
        let grid = grid(&json!({ "trend.fast": [5, 9, 30], "stop_atr": [1, 1.5] })).unwrap();
        assert_eq!((grid.variants.len(), grid.senseless), (4, 2), "a fast average of 30 candles is slower than 21");
        let tried: Vec<_> = grid.variants.iter().map(|it| (it.settings.trend.fast, it.settings.stop_atr)).collect();
        assert_eq!(tried, [(5, 1.0), (9, 1.0), (5, 1.5), (9, 1.5)]);
        assert_eq!(grid.variants[1].values["trend.fast"], json!(9));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (lists, said) in [
            (json!({ "trend.quick": [1] }), "trend.quick: there is no such setting"),
            (json!({ "speed": [1] }), "speed: there is no such setting"),
            (json!({ "atr": 14 }), "atr: must be a list of at least one value"),
            (json!({ "atr": [] }), "atr: must be a list of at least one value"),
            (json!({ "atr": [9, "x"] }), "atr: \"x\" is no value for it, as 14 is"),
            (json!({ "strategy": ["x"] }), "strategy: \"x\" is no value for it, as \"trend\" is"),
            (json!({}), "there is nothing to compare: no setting is named"),
            (
                json!({ "trend.fast": [30] }),
                "no combination makes sense: trend.fast: must be fewer candles than trend.slow",
            ),
        ] {
            assert_eq!(grid(&lists).unwrap_err().to_string(), said);
        }
        let many: Vec<_> = (2..1_000).collect();
        assert_eq!(grid(&json!({ "atr": many, "trend.adx": many })), Err(InvalidGrid::TooMany));
    }

    #[test]
    fn strategies_and_limits_can_be_compared() {
        let grid = grid(&json!({ "strategy": ["breakout", "momentum"], "daily_loss": [null, 2] })).unwrap();
        assert_eq!(grid.variants.len(), 4);
        assert!(
            grid.variants.iter().any(|it| it.strategy == StrategyKind::Momentum && it.settings.daily_loss.is_none())
        );
    }
}
