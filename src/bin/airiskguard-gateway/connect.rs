//! The exact lines a developer pastes, per client.

use crate::arguments::Client;

/// Stands where the developer's key belongs when none was given.
const KEY_PLACE: &str = "<your gateway key>";

/// The lines for `client` behind the gateway at `url`.
pub(crate) fn lines(client: Client, url: &str, key: Option<&str>) -> String {
    let url = url.trim_end_matches('/').trim_end_matches("/v1");
    let key = key.unwrap_or(KEY_PLACE);
    match client {
        Client::ClaudeCode => format!(
            "# Claude Code: paste into your shell's start file\n\
             export ANTHROPIC_BASE_URL={url}\n\
             export ANTHROPIC_AUTH_TOKEN='{key}'\n\
             # keeps its telemetry from going around the gateway\n\
             export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n"
        ),
        Client::Codex => format!(
            "# Codex CLI does not read OPENAI_BASE_URL. Put this into ~/.codex/config.toml:\n\
             model_provider = \"gateway\"\n\n\
             [model_providers.gateway]\n\
             name = \"gateway\"\n\
             base_url = \"{url}/v1\"\n\
             env_key = \"GATEWAY_KEY\"\n\
             wire_api = \"responses\"\n\
             supports_websockets = false\n\n\
             # and this into your shell's start file:\n\
             # export GATEWAY_KEY='{key}'\n"
        ),
        Client::CopilotCli => format!(
            "# Copilot CLI\n\
             export COPILOT_PROVIDER_TYPE=openai\n\
             export COPILOT_PROVIDER_BASE_URL={url}/v1\n\
             export COPILOT_PROVIDER_API_KEY='{key}'\n"
        ),
        Client::OpenaiSdk => format!(
            "# OpenAI SDKs and tools that follow them\n\
             export OPENAI_BASE_URL={url}/v1\n\
             export OPENAI_API_KEY='{key}'\n"
        ),
        Client::Azure => format!(
            "# Azure OpenAI SDKs\n\
             export AZURE_OPENAI_ENDPOINT={url}\n\
             export AZURE_OPENAI_API_KEY='{key}'\n"
        ),
        Client::Gemini => {
            "# Gemini CLI speaks Google's own API, which this gateway does not pass on: it would be refused\n\
             # as an unknown path. Use a client that speaks the Anthropic or the OpenAI API.\n"
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn no_client_gets_a_doubled_version() {
        for client in Client::value_variants() {
            for url in ["http://gateway", "http://gateway/", "http://gateway/v1"] {
                assert!(!lines(*client, url, Some("k")).contains("/v1/v1"), "{client:?} {url}");
            }
        }
    }

    #[test]
    fn claude_code_gets_the_address_without_a_version() {
        let lines = lines(Client::ClaudeCode, "http://gateway/v1", Some("gw-1"));
        assert!(lines.contains("ANTHROPIC_BASE_URL=http://gateway\n"), "{lines}");
        assert!(lines.contains("'gw-1'"));
    }
}
