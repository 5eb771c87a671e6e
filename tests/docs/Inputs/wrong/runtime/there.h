// The only source of a tree whose README is wrong: buildSomething().
