# SPDX-License-Identifier: Apache-2.0
# Sourced by conf/quickstart and tests/run: steps that show that they are alive.

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

die() {
  echo >&2
  printf '%s\n' "${0##*/}: $1" "${@:2}" >&2
  exit 1
}

# step TITLE COMMAND...: a dot a second while it runs; its output only if it fails.
step() {
  local title=$1 log pid code=0 dots=0
  shift
  log=$(mktemp)
  printf '%s ' "$title"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    # The first second in small pieces, so that quick steps are quick.
    if ((dots++ < 10)); then sleep 0.1; else printf '.'; sleep 1; fi
  done
  wait "$pid" || code=$?
  if [[ $code -ne 0 ]]; then
    echo " failed"
    tail -n 40 "$log" | sed 's/^/    /' >&2
    rm -f "$log"
    return "$code"
  fi
  rm -f "$log"
  echo " done"
}

# install_packages SECTION...: those of conf/packages; apt-get runs only when something is missing.
install_packages() {
  local wanted missing=() package
  wanted=$(awk -v sections=" $* " '
    /^\[/ { wanted = index(sections, " " substr($0, 2, length($0) - 2) " ") }
    wanted && /^[a-z0-9]/ { print $1 }' "$root/conf/packages")
  for package in $wanted; do
    [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0
  echo "Missing packages: ${missing[*]}"
  step "  reading the package lists" as_root apt-get -q update || die "apt-get update failed; is the network there?"
  step "  installing" as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}" ||
    die "apt-get could not install what is missing"
}

# Builds FOLDER with further meson options. What sudo runs in another's checkout is built as that user.
build_in() {
  local folder=$1 user=()
  shift
  if [[ $EUID -eq 0 && -n ${SUDO_USER:-} && $(stat -c %U "$root") == "$SUDO_USER" ]]; then
    [[ ! -e $folder || $(stat -c %U "$folder") == "$SUDO_USER" ]] || chown -R "$SUDO_USER" "$folder"
    user=(sudo -u "$SUDO_USER" -H)
  fi
  if [[ ! -f $folder/build.ninja ]]; then
    step "Configuring ${folder#"$root"/}" "${user[@]}" meson setup "$folder" "$root" "$@" || return 1
  elif [[ $# -gt 0 ]]; then
    step "Checking ${folder#"$root"/}" "${user[@]}" meson configure "$folder" "$@" || return 1
  fi
  step "Building in ${folder#"$root"/}" "${user[@]}" ninja -C "$folder" ${targets:-} || return 1
}
