//! The lane against a plain map: whatever comes in whatever order, sealed, merged and reopened at any time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::{options, temp_folder},
    still::StillMetrics,
    *,
};

/// What is done to a store.
#[derive(Debug, Clone)]
enum Step {
    /// Series, time, value.
    Append(Vec<(u8, i64, u8)>),
    Roll,
    Seal,
    Merge,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0..4_u8, prop_oneof![0..20_i64, 100..120_i64], 0..3_u8);
    prop_oneof![
        6 => prop::collection::vec(sample, 1..6).prop_map(Step::Append),
        2 => Just(Step::Roll),
        2 => Just(Step::Seal),
        1 => Just(Step::Merge),
        1 => Just(Step::Reopen),
    ]
}

fn name(series: u8) -> String {
    format!("__name__=m{},series={series}", series / 2)
}

async fn run(steps: Vec<Step>) {
    let folder = temp_folder();
    let tenant = tenant("default");
    let mut model: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
    let mut store = StillMetrics::open(options(folder.path())).await;
    for step in &steps {
        match step {
            Step::Append(samples) => {
                let names: Vec<_> =
                    samples.iter().map(|&(series, time, value)| (name(series), time, f64::from(value) / 4.0)).collect();
                let told: Vec<_> = names.iter().map(|(name, time, value)| (&**name, *time, *value)).collect();
                store.append(&tenant, &told).await;
                for (name, time, value) in told {
                    model.entry(labels(name).to_string()).or_default().entry(time).or_insert(value);
                }
            }
            Step::Roll => store.roll().await,
            Step::Seal => drop(store.seal().await),
            Step::Merge => {
                if store.segments(&tenant) > 1 {
                    store.merge_all(&tenant).await;
                }
            }
            Step::Reopen => {
                store.close().await;
                store = StillMetrics::open(options(folder.path())).await;
            }
        }
        let mut expected = String::new();
        for (series, samples) in &model {
            expected.push_str(series);
            samples.iter().for_each(|(time, value)| expected.push_str(&format!(" {time}={value}")));
            expected.push('\n');
        }
        assert_eq!(store.shown(&tenant, &[]), expected, "after {step:?} of {steps:?}");
        assert!(store.tally(&tenant).balances());
    }
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_a_map_does(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}
