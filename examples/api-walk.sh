#!/usr/bin/env bash
# From a new account to the events of its first message, with nothing but curl and jq.
#
#   WALK_OPERATOR=key:secret examples/api-walk.sh [EMAIL OF THE OWNER]
#
# Waypost is running, with a relay: see "The whole product" in README.md. The operator's credential was printed at the
# first start; `waypost api-keys create operator@localhost --name walk --role iac` makes another one. WALK_API is where
# the API is, if not on this machine. Each walk makes an account, so a second one needs another address. Each step
# prints what it asks for; run it with `bash -x` to see every request.
set -euo pipefail

api=${WALK_API:-http://127.0.0.1:8025}
not_an_operator='must be the key:secret of an operator: waypost api-keys create operator@localhost --name walk --role iac'
operator=${WALK_OPERATOR:?$not_an_operator}
email=${1:-owner@walk.example}
domain=${email#*@}

# WHY: ends the walk.
end() {
  echo "$1" >&2
  exit 1
}

# METHOD PATH CURL-OPTION...: prints the answer; ends the walk with the refusal when there is one.
request() {
  local answer status
  answer=$(curl --silent --show-error --request "$1" "$api$2" "${@:3}" --write-out '\n%{http_code}') || exit
  status=${answer##*$'\n'}
  echo "$1 $2 -> $status" >&2
  if [ "$status" -ge 400 ]; then
    echo "${answer%$'\n'*}" >&2
    exit 1
  fi
  echo "${answer%$'\n'*}"
}

# METHOD PATH TOKEN [BODY]: prints the answer, as request does.
call() {
  request "$1" "$2" --header "Authorization: Bearer $3" ${4:+--header 'Content-Type: application/json' --data "$4"}
}

# KEY:SECRET: prints an access token.
login() {
  request POST '/oauth/token?grant_type=password' --user "$1" | jq --raw-output .access_token
}

# Before anything is made: the API, and the operator whom step 3 needs. Without a colon curl would ask for a password.
curl --silent --show-error --output /dev/null "$api" || end "Nothing answers on $api: is waypost up running?"
[[ $operator == *:* ]] || end "WALK_OPERATOR $not_an_operator"
operator_token=$(login "$operator") || end "WALK_OPERATOR $not_an_operator"
(call GET '/api/v1/admin/account?state=pending' "$operator_token" >/dev/null) || end "WALK_OPERATOR $not_an_operator"

# 1. An account. Nobody has to be asked for one; it is pending, and comes with a key that manages it.
account=$(call POST /api/v1/account '' "$(jq --null-input --arg email "$email" '{name: "Walk", email: $email}')") ||
  end "$email was to be the owner. The argument names another address: $0 another@$domain"
manager=$(login "$(jq --raw-output '.api_key | "\(.key):\(.secret)"' <<<"$account")")

# 2. A sending profile. On localhost it is active at once; on a domain of your own, publish what `setup` lists.
profile=$(call POST /api/v1/email/profile "$manager" "$(jq --null-input --arg domain "$domain" \
  '{profile_name: "Main", sending_domain: $domain, link_domain: "localhost"}')")
call GET "/api/v1/email/profile/$(jq --raw-output .profile_id <<<"$profile")/setup" "$manager" |
  jq --raw-output '.dns_records[] | "  \(.type) \(.name)"'

# 3. The operator looks at who waits, and approves.
call GET '/api/v1/admin/account?state=pending' "$operator_token" | jq --raw-output '.[] | "  \(.email) waits"'
call PUT "/api/v1/admin/account/$(jq --raw-output .account_id <<<"$account")/approve" "$operator_token" >/dev/null
call GET /api/v1/account "$manager" | jq --raw-output '"  \(.email) is \(.state)"'

# 4. A key for the application that sends and reads.
key=$(call POST /api/v1/account/api_key "$manager" '{"name": "shop", "role": "standard"}')
token=$(login "$(jq --raw-output '"\(.key):\(.secret)"' <<<"$key")")

# 5. A message; the answer says which of its links are tracked.
message=$(jq --null-input --arg from "news@$domain" '{
  from_email_address: $from, from_name: "Walk", recipient_email_address: "reader@inbox.example", subject: "Hello",
  content_html: "<a href=\"https://shop.example/\">Shop</a>", click_tracking: true, tags: ["walk"]
}')
send=$(call POST /api/v1/email/send "$token" "$message")
jq --raw-output '.link_report.links[] | "  \(.destination) is \(.decision)"' <<<"$send"

# 6. The same to many, each with a link of its own; one of them has no address.
call POST /api/v1/email/send/batch "$token" "$(jq '. + {recipients: [
    {recipient_email_address: "ada@inbox.example", recipient_name: "Ada"}, {recipient_email_address: "nobody"}
  ]} | del(.recipient_email_address, .tags)' <<<"$message")" |
  jq --raw-output '.recipients[] | "  \(.recipient_email_address) \(.state) \(.error.message // "")"'

# 7. It is found again, and after a moment its events tell that it was delivered.
call GET '/api/v1/email/send/search?q=reader' "$token" | jq --raw-output '.[] | "  \(.subject) to \(.recipient_email_address)"'
for _ in $(seq 60); do
  events=$(call GET "/api/v1/email/send/$(jq --raw-output .send_id <<<"$send")/events" "$token" 2>/dev/null)
  if jq --exit-status 'any(.event == "delivered")' <<<"$events" >/dev/null; then
    jq --raw-output '.[] | "  \(.event)"' <<<"$events"
    call GET /api/v1/analysis/summary "$token" | jq --raw-output '"  \(.group_by.accepted.current) accepted so far"'
    exit
  fi
  sleep 1
done
echo "The message was not delivered within a minute: is the relay there? The log of waypost up tells." >&2
exit 1
