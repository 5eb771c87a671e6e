// LLVM's JSON parser checks the text and reads values, but forgets the order of keys: a scan over the text remembers
// it.
#include "passes/schedule/ScheduleFile.h"
#include "compiler/text/JsonText.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

namespace bambac {
namespace {

template <typename... Args> llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(llvm::formatv(format, args...).str());
}

/// The keys of every object of a JSON text that the parser takes, in order. Objects are named by the keys on the way to
/// them, each after a NUL.
class KeyOrder {
public:
  explicit KeyOrder(StringRef text) : rest(text.trim()) { visit(""); }

  ArrayRef<std::string> keysOf(const std::string &object) const {
    auto found = keys.find(object);
    return found == keys.end() ? ArrayRef<std::string>() : ArrayRef(found->second);
  }
  static std::string member(const std::string &object, StringRef key) { return object + '\0' + key.str(); }

private:
  /// Reads one value.
  void visit(const std::string &name) {
    rest = rest.ltrim();
    if (rest.starts_with("{"))
      visitMembers(name);
    else if (rest.starts_with("["))
      visitElements(name);
    else if (rest.starts_with("\""))
      takeString();
    else
      rest = rest.drop_until([](char c) { return StringRef(",]} \t\r\n").contains(c); });
  }

  void visitMembers(const std::string &name) {
    do {
      rest = rest.drop_front().ltrim();
      if (!rest.starts_with("\""))
        break; // no members
      std::string key = takeString();
      keys[name].push_back(key);
      rest = rest.ltrim().drop_front(); // the colon
      visit(member(name, key));
      rest = rest.ltrim();
    } while (rest.starts_with(","));
    rest = rest.drop_front();
  }

  void visitElements(const std::string &name) {
    do {
      rest = rest.drop_front().ltrim();
      if (!rest.starts_with("]"))
        visit(member(name, ""));
      rest = rest.ltrim();
    } while (rest.starts_with(","));
    rest = rest.drop_front();
  }

  std::string takeString() {
    size_t end = 1;
    while (rest[end] != '"')
      end += rest[end] == '\\' ? 2 : 1;
    llvm::Expected<llvm::json::Value> value = llvm::json::parse(rest.take_front(end + 1));
    rest = rest.drop_front(end + 1);
    if (value)
      return value->getAsString().value_or("").str();
    llvm::consumeError(value.takeError());
    return "";
  }

  StringRef rest;
  llvm::StringMap<std::vector<std::string>> keys;
};

/// Reads entries out of the parsed text.
class Reader {
public:
  Reader(StringRef path, const KeyOrder &order) : path(path), order(order) {}

  llvm::Error readEntries(const llvm::json::Object &object, const std::string &name, StringRef target) {
    if (llvm::Error error = checkOnce(name))
      return error;
    for (const std::string &key : order.keysOf(name)) {
      const llvm::json::Object *members = object.getObject(key);
      std::string shown = target.empty() ? key : (target + "." + key).str();
      if (!members)
        return makeError("{0}: field '{1}': expected an object, found {2}", path, shown, *object.get(key));
      std::string member = KeyOrder::member(name, key);
      if (target.empty() && isTarget(key)) {
        if (llvm::Error error = readEntries(*members, member, key))
          return error;
        continue;
      }
      if (llvm::Error error = checkOnce(member))
        return error;
      ScheduleFile::Entry entry{target.str(), key, {}};
      for (const std::string &field : order.keysOf(member))
        entry.fields.push_back({field, *members->get(field)});
      if (entry.fields.empty())
        return makeError("{0}: field '{1}': expected fields of a schedule, found none", path, shown);
      entries.push_back(std::move(entry));
    }
    return llvm::Error::success();
  }

  std::vector<ScheduleFile::Entry> entries;

private:
  static bool isTarget(StringRef key) { return key == "cpu" || key.starts_with("sm_"); }

  llvm::Error checkOnce(const std::string &object) {
    ArrayRef<std::string> keys = order.keysOf(object);
    for (auto [index, key] : llvm::enumerate(keys))
      if (llvm::is_contained(keys.take_front(index), key))
        return makeError("{0}: field '{1}': expected each key once, found it twice", path, key);
    return llvm::Error::success();
  }

  StringRef path;
  const KeyOrder &order;
};

} // namespace

bool ScheduleFile::Entry::matches(StringRef kernel) const {
  StringRef beginning = pattern;
  return beginning.consume_back("*") ? kernel.starts_with(beginning) : kernel == pattern;
}

llvm::Expected<ScheduleFile> ScheduleFile::read(StringRef path) {
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer = openText(path, "a schedule file");
  if (!buffer)
    return buffer.takeError();
  StringRef content = (*buffer)->getBuffer();
  llvm::Expected<llvm::json::Value> json = parseJson(content, path);
  if (!json)
    return json.takeError();
  const llvm::json::Object *object = json->getAsObject();
  if (!object)
    return makeError("{0}: expected an object of schedules by kernel name", path);
  KeyOrder order(content);
  Reader reader(path, order);
  if (llvm::Error error = reader.readEntries(*object, "", ""))
    return error;
  ScheduleFile file;
  file.path = path.str();
  SmallVector<StringRef> words;
  llvm::SplitString(content, words);
  file.text = llvm::join(words, " ");
  file.entries = std::move(reader.entries);
  return file;
}

SmallVector<const ScheduleFile::Entry *> ScheduleFile::match(StringRef kernel, StringRef target) {
  SmallVector<const Entry *> found;
  for (Entry &entry : entries) {
    if (!entry.matches(kernel) || (!entry.target.empty() && entry.target != target))
      continue;
    entry.isUsed = true;
    found.push_back(&entry);
  }
  return found;
}

llvm::Error ScheduleFile::checkAllUsed(ArrayRef<std::string> targets) const {
  for (const Entry &entry : entries)
    if (!entry.isUsed && (entry.target.empty() || llvm::is_contained(targets, entry.target)))
      return makeError(
          "{0}: field '{1}': expected a kernel of that name, found none for {2}; `bamba-run inspect` lists "
          "the kernels of a library",
          path, entry.key(), llvm::join(targets, ", "));
  return llvm::Error::success();
}

} // namespace bambac
