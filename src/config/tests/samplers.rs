//! Samplers in the configuration: the Collector's own blocks, and wrong ones with their places.

use super::{message, parse};
use crate::config::ProcessorConfig;

/// The example of the Collector's README for `tail_sampling`, key for key.
const COLLECTORS_EXAMPLE: &str = r#"
processors:
  tail_sampling:
    decision_wait: 10s
    num_traces: 100
    expected_new_traces_per_sec: 10
    decision_cache:
      sampled_cache_size: 100_000
      non_sampled_cache_size: 100_000
    policies:
      [
          {
            name: test-policy-1,
            type: always_sample
          },
          {
            name: test-policy-2,
            type: latency,
            latency: {threshold_ms: 5000, upper_threshold_ms: 10000}
          },
          {
            name: test-policy-3,
            type: numeric_attribute,
            numeric_attribute: {key: key1, min_value: 50, max_value: 100}
          },
          {
            name: test-policy-4,
            type: probabilistic,
            probabilistic: {sampling_percentage: 10}
          },
          {
            name: test-policy-5,
            type: status_code,
            status_code: {status_codes: [ERROR, UNSET]}
          },
          {
            name: test-policy-6,
            type: string_attribute,
            string_attribute: {key: key2, values: [value1, value2]}
          },
          {
            name: test-policy-7,
            type: string_attribute,
            string_attribute: {key: key2, values: [value1, val*], enabled_regex_matching: true, cache_max_size: 10}
          },
          {
            name: test-policy-8,
            type: rate_limiting,
            rate_limiting: {spans_per_second: 35}
         },
         {
            name: test-policy-9,
            type: span_count,
            span_count: {min_spans: 2, max_spans: 20}
         },
         {
             name: test-policy-10,
             type: trace_state,
             trace_state: { key: key3, values: [value1, value2] }
         },
         {
              name: test-policy-11,
              type: boolean_attribute,
              boolean_attribute: {key: key4, value: true}
         },
         {
              name: test-policy-12,
              type: ottl_condition,
              ottl_condition: {
                   error_mode: ignore,
                   span: [
                        "attributes[\"test_attr_key_1\"] == \"test_attr_val_1\"",
                        "attributes[\"test_attr_key_2\"] != \"test_attr_val_1\"",
                   ],
                   spanevent: [
                        "name != \"test_span_event_name\"",
                        "attributes[\"test_event_attr_key_2\"] != \"test_event_attr_val_1\"",
                   ]
              }
         },
         {
            name: test-policy-13,
            type: bytes_limiting,
            bytes_limiting: {bytes_per_second: 1000000, burst_capacity: 2000000}
         },
         {
            name: test-policy-14,
            type: trace_flags
         },
         {
            name: and-policy-1,
            type: and,
            and: {
              and_sub_policy:
              [
                {
                  name: test-and-policy-1,
                  type: numeric_attribute,
                  numeric_attribute: { key: key1, min_value: 50, max_value: 100 }
                },
                {
                    name: test-and-policy-2,
                    type: string_attribute,
                    string_attribute: { key: key2, values: [ value1, value2 ] }
                },
              ]
            }
         },
         {
            name: not-policy-1,
            type: not,
            not: {
              not_sub_policy: {
                name: test-not-policy-1,
                type: string_attribute,
                string_attribute: { key: url.path, values: [ "/health" ] }
              }
            }
         },
         {
            name: drop-policy-1,
            type: drop,
            drop: {
              drop_sub_policy:
              [
                {
                    name: test-drop-policy-1,
                    type: string_attribute,
                    string_attribute: {key: url.path, values: [\/health, \/metrics], enabled_regex_matching: true}
                }
              ]
            }
         },
         {
            name: composite-policy-1,
            type: composite,
            composite:
              {
                max_total_spans_per_second: 1000,
                policy_order: [test-composite-policy-1, test-composite-policy-2, test-composite-policy-3],
                composite_sub_policy:
                  [
                    {
                      name: test-composite-policy-1,
                      type: numeric_attribute,
                      numeric_attribute: {key: key1, min_value: 50}
                    },
                    {
                      name: test-composite-policy-2,
                      type: string_attribute,
                      string_attribute: {key: key2, values: [value1, value2]}
                    },
                    {
                      name: test-composite-policy-3,
                      type: always_sample
                    }
                  ],
                rate_allocation:
                  [
                    {
                      policy: test-composite-policy-1,
                      percent: 50
                    },
                    {
                      policy: test-composite-policy-2,
                      percent: 25
                    }
                  ]
              }
          },
        ]
"#;

#[test]
fn the_collectors_example_works_key_for_key() {
    let config = parse(COLLECTORS_EXAMPLE).unwrap_or_else(|error| panic!("{error}"));
    let blocks = config.processors.tail_sampling();
    assert_eq!((blocks.len(), blocks[0].0.as_str(), blocks[0].1.policies.len()), (1, "tail_sampling", 18));
    assert_eq!(blocks[0].1.decision_cache.sampled_cache_size, 100_000);
    assert_eq!(config.processors.of_receiver["otlp"], ["tail_sampling"]);
}

#[test]
fn pipelines_lead_through_processors() {
    let blocks = "
receivers: {otlp: , otlp/raw: {protocols: {grpc: {endpoint: ':5317'}}}}
processors:
  tail_sampling: {policies: [{name: all, type: always_sample}]}
  tail_sampling/would: {dry_run: true, policies: [{name: flagged, type: trace_flags}]}
  probabilistic_sampler: {sampling_percentage: 15.3, hash_seed: 22}
  probabilistic_sampler/unused: {sampling_percentage: 1, mode: equalizing}
";
    let config = parse(&format!(
        "{blocks}service:
  pipelines:
    traces: {{receivers: [otlp], processors: [probabilistic_sampler, tail_sampling, tail_sampling/would]}}
    traces/raw: {{receivers: [otlp/raw]}}
"
    ))
    .unwrap_or_else(|error| panic!("{error}"));
    let ways = &config.processors.of_receiver;
    assert_eq!(ways["otlp"], ["probabilistic_sampler", "tail_sampling", "tail_sampling/would"]);
    assert!(!ways.contains_key("otlp/raw"));
    assert_eq!(config.processors.blocks.len(), 3);
    let idle = "weir.yaml:7:3: processor `probabilistic_sampler/unused` has no effect: it is in no pipeline that a receiver feeds";
    assert_eq!(config.warnings, [idle]);
    assert!(matches!(config.processors.blocks["probabilistic_sampler"], ProcessorConfig::ProbabilisticSampler(_)));
    assert!(config.summary().ends_with("processors: probabilistic_sampler, tail_sampling, tail_sampling/would"));
    // Without pipelines all of them, in the order written: head sampling would come too late.
    let error = message(blocks);
    assert!(error.starts_with("weir.yaml:6:3: `probabilistic_sampler` after `tail_sampling/would`"), "{error}");
}

#[test]
fn processors_without_effect_are_warned_of() {
    let warned = |rest: &str| {
        let blocks = "processors: {probabilistic_sampler: {sampling_percentage: 5}}\n";
        parse(&format!("{blocks}{rest}")).unwrap_or_else(|error| panic!("{error}")).warnings.len()
    };
    for in_force in ["", "service: {pipelines: {traces: {receivers: [otlp], processors: [probabilistic_sampler]}}}"] {
        assert_eq!(warned(in_force), 0, "{in_force}");
    }
    for idle in [
        "receivers: {}",
        "service: {pipelines: {}}",
        "service: {pipelines: {traces: {receivers: [otlp]}}}",
        "service: {pipelines: {traces: {processors: [probabilistic_sampler]}}}",
    ] {
        assert_eq!(warned(idle), 1, "{idle}");
    }
}

#[test]
fn a_wrong_sampler_says_where_and_what_to_write() {
    let tail = |policy: &str| format!("processors:\n  tail_sampling:\n    policies:\n      - {policy}\n");
    let all = "{name: all, type: always_sample}";
    let cases = [
        ("processors:\n  tail_samplign: {}\n".to_owned(), "weir.yaml:2:3: unknown processor `tail_samplign`; did you mean `tail_sampling`?"),
        ("processors:\n  tail_sampling: {}\n".into(), "weir.yaml:2:18: the key `policies` is missing"),
        ("processors:\n  tail_sampling:\n".into(), "weir.yaml:"),
        (
            format!("processors:\n  tail_sampling:\n    decision_wiat: 5s\n    policies: [{all}]\n"),
            "weir.yaml:3:5: unknown key `decision_wiat`; did you mean `decision_wait`?",
        ),
        (
            format!("processors:\n  tail_sampling:\n    decision_wait: 5\n    policies: [{all}]\n"),
            "weir.yaml:3:20: processors.tail_sampling.decision_wait: `5` is not a duration",
        ),
        (
            tail("{name: unknown, type: always_sample}"),
            "weir.yaml:4:16: processors.tail_sampling.policies.name: `unknown` is a row of the ledger already; a policy has another name",
        ),
        (tail("{name: p, type: latncy}"), "weir.yaml:4:25: processors.tail_sampling.policies.type: unknown value `latncy`; did you mean `latency`?"),
        (tail("{name: p, tipe: latency}"), "weir.yaml:4:19: unknown key `tipe`; did you mean `type`?"),
        (
            tail("{name: p, type: latency, latency: {treshold_ms: 5}}"),
            "weir.yaml:4:44: unknown key `treshold_ms`; did you mean `threshold_ms`?",
        ),
        (tail("{name: p, type: latency, latency: {threshold_ms: -5}}"), "weir.yaml:4:58: processors.tail_sampling.policies.latency.threshold_ms: expected a whole number"),
        (tail("{name: p, type: latency}"), "weir.yaml:4:9: the key `latency` is missing"),
        (
            tail("{name: p, type: status_code, status_code: {status_codes: [ERRORS]}}"),
            "weir.yaml:4:67: processors.tail_sampling.policies.status_code.status_codes: unknown value `ERRORS`; did you mean `ERROR`? Known here: UNSET, OK, ERROR",
        ),
        (
            tail("{name: p, type: probabilistic, probabilistic: {sampling_percentage: .nan}}"),
            "weir.yaml:4:77: processors.tail_sampling.policies.probabilistic.sampling_percentage: NaN is not a number of 0 or more",
        ),
        (
            tail("{name: p, type: string_attribute, string_attribute: {key: k, values: ['(a{1000}){1000}'], enabled_regex_matching: true}}"),
            "weir.yaml:4:61: processors.tail_sampling.policies.string_attribute: these regular expressions are too large",
        ),
        (
            tail("{name: p, type: and, and: {and_sub_policy: [{name: q, type: ottl_condition, ottl_condition: {span: ['nam == 1']}}]}}"),
            "weir.yaml:4:101: processors.tail_sampling.policies.and.and_sub_policy.ottl_condition: condition `nam == 1`: unknown path nam",
        ),
        (tail("{name: p, type: always_sample}\n      - 5"), "weir.yaml:5:9: processors.tail_sampling.policies: expected keys"),
        (
            format!("processors:\n  tail_sampling:\n    decision_wait: 2h\n    policies: [{all}, 5]\n"),
            "weir.yaml:3:20: processors.tail_sampling.decision_wait: at most 3600s",
        ),
        (tail("{name: all, type: always_sample}\n      - {name: all, type: trace_flags}"), "weir.yaml:5:9: processors.tail_sampling.policies: two policies named `all`"),
        (
            format!("processors:\n  tail_sampling: {{policies: [{all}]}}\n  tail_sampling/b: {{policies: [{all}]}}\n"),
            "weir.yaml:3:3: tail_sampling and tail_sampling/b both decide",
        ),
        (
            "processors:\n  probabilistic_sampler: {sampling_percentage: many}\n".into(),
            "weir.yaml:2:48: processors.probabilistic_sampler.sampling_percentage: expected a number",
        ),
        (
            "processors:\n  probabilistic_sampler: {percentage: 5}\n".into(),
            "weir.yaml:2:27: unknown key `percentage`",
        ),
        (
            "receivers: {otlp: }\nprocessors: {probabilistic_sampler: {sampling_percentage: 5}}\nservice: {pipelines: {traces: {receivers: [otlp], processors: [probabilistic]}}}\n".into(),
            "weir.yaml:3:64: unknown processor `probabilistic`. Known here: probabilistic_sampler",
        ),
        (
            "processors: {probabilistic_sampler: {sampling_percentage: 5}}\nservice: {pipelines: {traces: {receivers: [otlp]}, traces/2: {receivers: [otlp], processors: [probabilistic_sampler]}}}\n".into(),
            "weir.yaml:2:75: receiver `otlp` is in two pipelines with different processors",
        ),
    ];
    for (source, expected) in cases {
        let error = message(&source);
        assert!(error.starts_with(expected), "{source}\n{error}\n{expected}");
    }
}
