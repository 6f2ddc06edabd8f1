//! What is written for awkward texts and layouts, as `sigs.k8s.io/yaml` 1.6.0 wrote it.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A text, and what stands behind `key: ` for it.
const AWKWARD: &[(&str, &str)] = &[
    ("", "\"\"\n"),
    ("~", "\"~\"\n"),
    ("null", "\"null\"\n"),
    ("Null", "\"Null\"\n"),
    ("true", "\"true\"\n"),
    ("True", "\"True\"\n"),
    ("false", "\"false\"\n"),
    ("yes", "\"yes\"\n"),
    ("Yes", "\"Yes\"\n"),
    ("no", "\"no\"\n"),
    ("on", "\"on\"\n"),
    ("off", "\"off\"\n"),
    ("y", "\"y\"\n"),
    ("Y", "\"Y\"\n"),
    ("n", "\"n\"\n"),
    ("N", "\"N\"\n"),
    ("0", "\"0\"\n"),
    ("0644", "\"0644\"\n"),
    ("0o644", "\"0o644\"\n"),
    ("0x1F", "\"0x1F\"\n"),
    ("0b101", "\"0b101\"\n"),
    ("1_000", "\"1_000\"\n"),
    ("1.5", "\"1.5\"\n"),
    (".5", "\".5\"\n"),
    ("1.", "\"1.\"\n"),
    ("1e3", "\"1e3\"\n"),
    ("-1", "\"-1\"\n"),
    ("+1", "\"+1\"\n"),
    (".inf", "\".inf\"\n"),
    ("-.Inf", "\"-.Inf\"\n"),
    (".nan", "\".nan\"\n"),
    ("1:30", "\"1:30\"\n"),
    ("1:60", "1:60\n"),
    ("190:20:30", "\"190:20:30\"\n"),
    ("2001-01-01", "\"2001-01-01\"\n"),
    ("2001-13-01", "2001-13-01\n"),
    (
        "2001-12-14t21:59:43.10-05:00",
        "\"2001-12-14t21:59:43.10-05:00\"\n",
    ),
    ("2001-12-14 21:59:43", "\"2001-12-14 21:59:43\"\n"),
    ("=", "=\n"),
    ("-", "'-'\n"),
    ("- a", "'- a'\n"),
    ("-a", "-a\n"),
    ("?", "'?'\n"),
    ("?a", "?a\n"),
    (":", "':'\n"),
    ("a:", "'a:'\n"),
    ("a: b", "'a: b'\n"),
    ("a:b", "a:b\n"),
    ("#", "'#'\n"),
    ("a #b", "'a #b'\n"),
    ("a#b", "a#b\n"),
    ("*", "'*'\n"),
    ("*,a", "'*,a'\n"),
    ("&a", "'&a'\n"),
    ("!a", "'!a'\n"),
    ("|", "'|'\n"),
    ("%a", "'%a'\n"),
    ("@a", "'@a'\n"),
    ("`a", "'`a'\n"),
    ("[a", "'[a'\n"),
    ("{a", "'{a'\n"),
    ("a]", "a]\n"),
    ("'a'", "'''a'''\n"),
    ("it's", "it's\n"),
    ("\"a\"", "'\"a\"'\n"),
    ("a\\b", "a\\b\n"),
    ("---", "'---'\n"),
    ("--a=b,c", "--a=b,c\n"),
    ("...", "'...'\n"),
    ("a b", "a b\n"),
    (" a", "' a'\n"),
    ("a ", "'a '\n"),
    ("a\tb", "\"a\\tb\"\n"),
    ("é", "é\n"),
    ("😀", "\"\\U0001F600\"\n"),
    ("\u{1b}", "\"\\e\"\n"),
    ("1.2.3.4", "1.2.3.4\n"),
    ("fd00::1", "fd00::1\n"),
    ("::", "'::'\n"),
    ("[::1]:2379", "'[::1]:2379'\n"),
    ("v1.37.2", "v1.37.2\n"),
    ("9223372036854775807", "\"9223372036854775807\"\n"),
    ("18446744073709551616", "\"18446744073709551616\"\n"),
    ("a\nb", "|-\n  a\n  b\n"),
    ("a\nb\n", "|\n  a\n  b\n"),
    ("a\n\n", "|+\n  a\n\n"),
    (" a\nb", "|2-\n   a\n  b\n"),
    ("a \nb", "\"a \\nb\"\n"),
    ("a\tb\nc", "\"a\\tb\\nc\"\n"),
    ("\n", "|2+\n\n"),
];

#[test]
fn awkward_texts_are_written_as_kubernetes_writes_them() {
    for (text, written) in AWKWARD {
        let document = json!({ "key": text });
        let expected = format!("key: {written}");
        assert_eq!(to_string(&document), expected, "{text:?}");
        assert_eq!(parse_documents(&expected).unwrap(), [document], "{text:?}");
    }
}

/// What a YAML 1.1 parser such as Kubernetes' takes for something other than a text is never
/// written plain.
#[test]
fn words_of_yaml_1_1_are_quoted() {
    for word in [
        "yes",
        "Yes",
        "YES",
        "no",
        "No",
        "NO",
        "on",
        "On",
        "ON",
        "off",
        "Off",
        "OFF",
        "y",
        "Y",
        "n",
        "N",
        "true",
        "True",
        "TRUE",
        "false",
        "False",
        "FALSE",
        "null",
        "Null",
        "NULL",
        "~",
        "",
        "<<",
        "1_000",
        "0644",
        "0o7",
        "0b11",
        "0x1f",
        "-0x1f",
        "+12",
        "1e3",
        "1.e3",
        "1e999",
        ".5",
        "1.",
        ".inf",
        "+.INF",
        ".NaN",
        "1:30",
        "-1:30:59.5",
        "2001-01-01",
        "2001-1-1 1:2:3",
        "2001-12-15T02:59:43Z",
    ] {
        let written = to_string(&json!({ "key": word, word: "value" }));
        assert!(written.contains(&format!("key: \"{word}\"\n")), "{written}");
        assert!(
            written.contains(&format!("\"{word}\": value\n")),
            "{written}"
        );
    }
}

#[test]
fn layout() {
    let long = ["word"; 30].join(" ");
    let document = json!({
        "zeta": { "empty": {}, "none": null, "list": [], "flag": true },
        "list": [
            { "name": "a", "items": ["x", "y"], "nested": { "deep": 1 } },
            [1, [2.5, 1e6]],
            {},
            "text",
            "line 1\nline 2\n",
        ],
        "a10": 1,
        "a2": 2,
        "folded": long,
        "quoted": format!("'{long}"),
        "escaped": format!("\t{long}"),
    });
    let expected = r#"a2: 2
a10: 1
escaped: "\tword word word word word word word word word word word word word word
  word word word word word word word word word word word word word word word word"
folded: word word word word word word word word word word word word word word word
  word word word word word word word word word word word word word word word
list:
- items:
  - x
  - "y"
  name: a
  nested:
    deep: 1
- - 1
  - - 2.5
    - 1e+06
- {}
- text
- |
  line 1
  line 2
quoted: '''word word word word word word word word word word word word word word word
  word word word word word word word word word word word word word word word'
zeta:
  empty: {}
  flag: true
  list: []
  none: null
"#;
    assert_eq!(to_string(&document), expected);
    assert_eq!(parse_documents(&to_string(&document)).unwrap(), [document]);
}

#[test]
fn keys_are_sorted_like_a_reader_would() {
    let keys = [
        "a.b", "a", "B", "a10", "a2", "a-b", "_", "a/b", "0", "00", "é",
    ];
    let document: Value = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!(1)))
        .collect();
    let order: Vec<String> = to_string(&document)
        .lines()
        .map(|line| line.trim_end_matches(": 1").trim_matches('"').to_owned())
        .collect();
    assert_eq!(order, ORDER);
}

/// The order of `sigs.k8s.io/yaml` 1.6.0.
const ORDER: &[&str] = &[
    "_", "0", "00", "B", "a", "a-b", "a.b", "a/b", "a2", "a10", "é",
];

#[test]
fn documents_are_joined_and_split() {
    let documents = [json!({ "a": 1 }), json!({ "b": [] })];
    let text = join_documents(&documents);
    assert_eq!(text, "a: 1\n---\nb: []\n");
    assert_eq!(
        parse_documents(&format!("---\n{text}---\n")).unwrap(),
        documents
    );
    assert!(parse_documents("a: 1\na: 2\n").is_err());
    assert!(parse_documents("a: [").is_err());
    assert_eq!(parse_documents("").unwrap(), Vec::<Value>::new());
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n]{0,12}",
        "[-0-9:._+eExoTZ]{1,10}",
        proptest::sample::select(AWKWARD).prop_map(|(text, _)| text.to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_unchanged(value in any_value()) {
        let document = json!({ "value": value });
        let text = to_string(&document);
        let read = parse_documents(&text);
        prop_assert_eq!(read.map_err(|error| rinit_diag::chain(&error)), Ok(vec![document]), "{}", text);
    }
}
