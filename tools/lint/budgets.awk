# Lines of functions and files, by counting braces. Prints "file:line: what" and exits 1 over budget.
# A brace opens a container (namespace, class, enum), a function (its head has a parameter list) or something else
# (an initializer). Everything inside a function belongs to it.

function report(line, what) { printf "%s:%d: %s\n", file, line, what; bad = 1 }

# head without its leading `template <...>`.
function without_template(head,    i, c, angle) {
  sub(/^ +/, "", head)
  if (head !~ /^template *</) return head
  for (i = index(head, "<"); i <= length(head); ++i) {
    c = substr(head, i, 1)
    if (c == "<") ++angle
    if (c == ">" && --angle == 0) break
  }
  head = substr(head, i + 1)
  sub(/^ +/, "", head)
  return head
}

function kind_of(head) {
  gsub(/alignas *\([^)]*\)/, "", head)
  head = without_template(head)
  sub(/ +$/, "", head)
  if (head ~ /^(inline |export )*(namespace|class|struct|union|enum)([^A-Za-z0-9_]|$)/ && head !~ /\)$/) return "container"
  return index(head, "(") ? "function" : "other"
}

# Judges the function that was closed last, unless it turns out to be a member initializer such as `: a_{1}`.
function judge(    lines, limit) {
  if (!closed) return
  closed = 0
  lines = closed_end - closed_line + 1
  limit = closed_head ~ /(^|[^A-Za-z0-9_])forward *\(/ ? 40 : 80
  if (lines > limit) {
    sub(/^ +/, "", closed_head)
    report(closed_line, sprintf("function of %d lines, at most %d: %s", lines, limit, substr(closed_head, 1, 60)))
  }
}

function open_brace() {
  if (closed) { head = closed_head "{}"; head_line = closed_line; closed = 0 }
  ++depth
  kind[depth] = paren > 0 ? "other" : kind_of(head)
  heads[depth] = head; head_lines[depth] = head_line; parens[depth] = paren
  if (kind[depth] == "function") inside_at = depth
  head = ""; paren = 0
}

function close_brace() {
  if (depth == 0) return
  head = heads[depth]; head_line = head_lines[depth]; paren = parens[depth]
  if (kind[depth] == "function") {
    closed = 1; closed_head = head; closed_line = head_line; closed_end = FNR
    inside_at = 0
    head = ""
  } else if (kind[depth] == "container") {
    head = ""
  } else {
    head = head "{}"
  }
  --depth
}

# One character outside comments, strings and functions.
function outside(c) {
  if (c == " " || c == "\t") { if (head != "") head = head " "; return }
  if (closed && c != "," && c != "{") judge()
  if (closed && c == ",") { head = closed_head "{}"; head_line = closed_line; closed = 0 }
  if (c == "{") { open_brace(); return }
  if (c == "}") { close_brace(); return }
  if (c == ";" && paren == 0) { head = ""; return }
  if (c == ":" && head ~ /^ *(public|private|protected)$/) { head = ""; return }
  if (c == "(") ++paren
  if (c == ")") --paren
  if (head == "") head_line = FNR
  head = head c
}

# One character inside a function: only braces matter.
function inside(c) {
  if (c == "{") ++nested
  if (c == "}") {
    if (nested > 0) --nested
    else close_brace()
  }
}

function scan(line,    i, c, rest, n) {
  n = length(line)
  for (i = 1; i <= n; ++i) {
    c = substr(line, i, 1)
    if (comment) { if (c == "*" && substr(line, i + 1, 1) == "/") { comment = 0; ++i }; continue }
    if (raw != "") { if (substr(line, i, length(raw)) == raw) { i += length(raw) - 1; raw = "" }; continue }
    if (c == "/" && substr(line, i + 1, 1) == "/") break
    if (c == "/" && substr(line, i + 1, 1) == "*") { comment = 1; ++i; continue }
    if (c == "\"" && i > 1 && substr(line, i - 1, 1) == "R") {
      rest = substr(line, i + 1)
      raw = ")" substr(rest, 1, index(rest, "(") - 1) "\""
      i += length(raw) - 1
      continue
    }
    if (c == "'" && substr(line, i - 1, 1) ~ /[0-9a-fA-F]/ && substr(line, i + 2, 1) != "'") continue
    if (c == "\"" || c == "'") {
      for (++i; i <= n && substr(line, i, 1) != c; ++i) if (substr(line, i, 1) == "\\") ++i
      continue
    }
    if (inside_at) inside(c)
    else outside(c)
  }
}

function end_of_file() {
  judge()
  if (file ~ /^toy\/models\// && lines_of_file > 150) report(lines_of_file, "file of " lines_of_file " lines, at most 150")
}

FNR == 1 {
  if (file != "") end_of_file()
  file = FILENAME
  depth = paren = inside_at = nested = closed = comment = directive = 0
  head = raw = ""
}

{
  lines_of_file = FNR
  text = $0
  gsub(/[\200-\277]/, "", text)  # one column per UTF-8 character
  if (length(text) > 120 && text !~ /https?:\/\//) report(FNR, "line of " length(text) " columns, at most 120")
  if (!comment && raw == "" && (directive || text ~ /^[ \t]*#/)) {
    directive = text ~ /\\$/
    next
  }
  scan($0)
}

END {
  end_of_file()
  exit bad
}
