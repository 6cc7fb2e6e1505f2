# Reads expressions as groups: what stands between one pair of brackets. In a group, `here` says that a call has been
# seen since the last operator or comma that orders, `before` that an argument before this one had a call. Of each,
# [.., 1] is for calls that take ctx and [.., 2] for calls with arguments. A call counts where its chain ends:
# f(x).g() is one.

function report(which) {
  if (FILENAME == file_said && line == line_said) return
  printf "%s:%d: two calls side by side %s: C++ leaves open which runs first\n", FILENAME, line,
         which == 1 ? "take ctx" : "where a Context is taken"
  file_said = FILENAME
  line_said = line
  bad = 1
}

function order(g,    r) { for (r = 1; r <= 2; ++r) here[g, r] = 0 }
function comma(g,    r) {
  for (r = 1; r <= 2; ++r) {
    before[g, r] = kind[g] == "call" ? before[g, r] || argument[g, r] : 0
    argument[g, r] = here[g, r] = 0
  }
}
function clear(g,    r) { for (r = 1; r <= 2; ++r) before[g, r] = argument[g, r] = here[g, r] = pending[g, r] = 0 }

# What was called last in a group counts now.
function commit(g,    r) {
  for (r = 1; r <= 2; ++r) {
    if (!pending[g, r]) continue
    if ((here[g, r] || before[g, r]) && (r == 1 || in_page)) report(r)
    here[g, r] = argument[g, r] = 1
    pending[g, r] = 0
  }
}

function open(bracket, name,    g) {
  g = ++depth
  clear(g)
  opened[g] = bracket
  callee[g] = name
  has_ctx[g] = has_arguments[g] = statements[g] = 0
  kind[g] = bracket == "(" && name != "" && name !~ /^(if|for|while|switch|catch)$/ ? "call" : "other"
}

function close_group(next_token,    g, r, own, inner) {
  g = depth
  if (g == 0) return
  commit(g)
  --depth
  if (g == page_depth) in_page = page_depth = 0
  for (r = 1; r <= 2; ++r) {
    inner = before[g, r] || argument[g, r] || here[g, r]
    own = 0
    # Casts and the standard library are seen through.
    if (kind[g] == "call" && callee[g] !~ /^(std::|static_cast|return$)/) own = r == 1 ? has_ctx[g] : has_arguments[g]
    if (opened[g] == "{" && statements[g]) inner = own = 0
    if (own || inner) pending[depth, r] = 1
  }
  if (has_ctx[g] && kind[g] != "call") has_ctx[depth] = 1
  if (opened[g] == "{" && statements[g] || callee[g] ~ /^(if|for|while|switch|catch)$/) clear(depth)
  else if (next_token !~ /^(\.|->|\(|\[)$/) commit(depth)
}

# One token; `next_token` follows it, `name` is what stands before a "(".
function take(token, next_token, name) {
  if (token == ";" || token == "{" || token == "}") {
    if (token != "{" || !(opened[depth] == "(")) head_now = head
    head = ""
  } else {
    head = head " " token
  }
  if (token ~ /^[({[]$/) {
    has_arguments[depth] = 1
    open(token, name)
    if (token == "{" && !in_page && head_now ~ /Context *&/ && head_now ~ /\)/) {
      in_page = 1
      page_depth = depth
    }
    if (token == "{") head_now = ""
  } else if (token ~ /^[)}\]]$/) {
    close_group(next_token)
  } else if (token == ";") {
    statements[depth] = 1
    clear(depth)
  } else if (token == ",") {
    comma(depth)
  } else {
    has_arguments[depth] = 1
    if (token == "ctx") has_ctx[depth] = 1
    if (token ~ /^(&&|\|\||\?|:|<<|>>|=|\+=|-=|\*=|\/=)$/) order(depth)
  }
}

# The tokens of a line go through a queue of one, so that each knows the next.
function push(token, name) {
  if (queued != "") take(queued, token, queued_name)
  queued = token
  queued_name = name
  line = FNR
}

function flush_file() {
  if (queued != "") take(queued, "", queued_name)
  queued = queued_name = head = head_now = last_name = ""
  depth = in_page = page_depth = comment = 0
  clear(0)
  statements[0] = has_ctx[0] = 0
}

FNR == 1 { flush_file() }
/^[ \t]*#/ { next }
{
  text = $0
  gsub(/\\./, "", text)
  gsub(/"[^"]*"/, "0", text)
  gsub(/'[^']'/, "0", text)
  sub(/\/\/.*/, "", text)
  while (text != "") {
    if (comment) {
      if (!(at = index(text, "*/"))) break
      text = substr(text, at + 2)
      comment = 0
      continue
    }
    if (match(text, /^[ \t]+/)) { text = substr(text, RLENGTH + 1); spaced = 1; continue }
    if (text ~ /^\/\*/) { comment = 1; continue }
    if (match(text, /^[A-Za-z_0-9][A-Za-z_0-9]*(::[A-Za-z_0-9~]+)*/)) ;
    else if (match(text, /^(::|->|&&|\|\||<<|>>|[-+*\/=!<>]=|\+\+|--)/)) ;
    else match(text, /^./)
    token = substr(text, 1, RLENGTH)
    text = substr(text, RLENGTH + 1)
    name = ""
    # A "(" behind a name, brackets, or a template's ">" without a space is a call.
    if (token == "(") {
      if (before_token ~ /^[A-Za-z_0-9:~]+$/) name = before_token
      else if (before_token == ">" && !spaced) name = template_name
      else if (before_token ~ /^[)\]]$/ && !spaced) name = "result"
    }
    if (token == "<") template_name = before_token
    push(token, name)
    before_token = token
    spaced = 0
  }
}
END {
  flush_file()
  exit bad
}
