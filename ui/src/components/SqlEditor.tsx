// The editor for SQL: CodeMirror, with completion of tables, columns, functions and attributes.

import { autocompletion, type Completion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

/** Columns of both tables: docs/sql.md. */
const TABLES = {
  spans: [
    "trace_id",
    "span_id",
    "parent_span_id",
    "service",
    "name",
    "kind",
    "start_time",
    "end_time",
    "duration_ns",
    "status_code",
    "status_message",
    "scope_name",
    "state",
    "adjusted_count",
    "events",
    "links",
    "attributes",
    "resource",
  ],
  logs: [
    "time",
    "observed_time",
    "trace_id",
    "span_id",
    "service",
    "severity_number",
    "severity_text",
    "body",
    "body_is_json",
    "event_name",
    "scope_name",
    "attributes",
    "resource",
  ],
};

const FUNCTIONS = [
  "attr_num",
  "attr_bool",
  "p50",
  "p90",
  "p95",
  "p99",
  "approx_percentile",
  "date_bin",
  "count",
  "sum",
  "avg",
  "min",
  "max",
  "regexp_match",
];

const COLORS = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--water)", fontWeight: "500" },
  { tag: tags.string, color: "var(--sql-text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--sql-number)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
]);

const LOOK = EditorView.theme({
  "&": { maxHeight: "38vh", minHeight: "120px" },
  ".cm-scroller": { fontFamily: "var(--mono)", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0", minHeight: "120px" },
  ".cm-gutters": {
    background: "var(--raised)",
    color: "var(--dim)",
    border: "0",
    borderRight: "1px solid var(--line)",
  },
  "&.cm-focused .cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { background: "var(--mark) !important" },
  ".cm-tooltip": { background: "var(--ground)", border: "1px solid var(--line-strong)", borderRadius: "3px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--chosen)", color: "var(--text)" },
  ".cm-placeholder": { color: "var(--dim)" },
});

interface Props {
  value: string;
  change: (text: string) => void;
  run: () => void;
  /** Keys of attributes, for `attributes['…']`. */
  keys: readonly string[];
  nonce: string;
}

export default function SqlEditor({ value, change, run, keys, nonce }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  // What the editor calls is always the newest, without making the editor anew.
  const latest = useRef({ change, run, keys });
  latest.current = { change, run, keys };
  const first = useRef(value);
  useEffect(() => {
    const attributes = (context: CompletionContext) => {
      const word = context.matchBefore(/(attributes|resource)\['[^']*/);
      if (!word) return null;
      const from = word.from + word.text.indexOf("'") + 1;
      const options: Completion[] = latest.current.keys.map((key) => ({
        label: key,
        apply: `${key}']`,
        type: "property",
      }));
      return { from, options, validFor: /^[^']*$/ };
    };
    const names = (context: CompletionContext) => {
      const word = context.matchBefore(/[\w.]+/);
      if (!word && !context.explicit) return null;
      const columns = [...new Set([...TABLES.spans, ...TABLES.logs])];
      const options: Completion[] = [
        ...Object.keys(TABLES).map((label) => ({ label, type: "type" })),
        ...columns.map((label) => ({ label, type: "variable" })),
        ...FUNCTIONS.map((label) => ({ label, apply: `${label}(`, type: "function" })),
      ];
      return { from: word?.from ?? context.pos, options, validFor: /^\w*$/ };
    };
    const language = sql({ dialect: PostgreSQL, upperCaseKeywords: true });
    const editor = new EditorView({
      parent: box.current!,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          EditorView.cspNonce.of(nonce),
          lineNumbers(),
          history(),
          language,
          language.language.data.of({ autocomplete: attributes }),
          language.language.data.of({ autocomplete: names }),
          autocompletion({ icons: false }),
          syntaxHighlighting(COLORS),
          placeholder("SELECT service, count(*) FROM spans GROUP BY service"),
          keymap.of([
            {
              key: "Mod-Enter",
              run: () => {
                latest.current.run();
                return true;
              },
            },
            ...completionKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "SQL" }),
          EditorView.updateListener.of(
            (update) => update.docChanged && latest.current.change(update.state.doc.toString()),
          ),
          LOOK,
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, [nonce]);
  useEffect(() => {
    const editor = view.current;
    // Somebody else changed it: an example, Back.
    if (editor && editor.state.doc.toString() !== value)
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);
  return <div className="editor" ref={box} />;
}
