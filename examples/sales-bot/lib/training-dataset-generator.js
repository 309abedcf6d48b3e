'use strict'

// 3. The dataset for the fine-tuning of a language model, its statistics, and a Modelfile for Ollama.

const fs = require('fs')
const path = require('path')

const SYSTEM_PROMPT = 'Eres un asistente de ventas experto. Respondes de manera natural, amigable y profesional.'

class TrainingDatasetGenerator {
  constructor (role, model, directory) {
    this.role = role
    this.model = model
    this.directory = directory
  }

  async generateDataset (minQualityScore = 4) {
    const rows = await this.role.rows(
      `select line from export_training_dataset('chat_jsonl', p_min_quality => $1, p_system_prompt => $2,
         p_limit => 1000, p_model_name => $3) as line`,
      [minQualityScore, SYSTEM_PROMPT, this.model])
    return this.write('training-dataset-latest.jsonl', rows.map((row) => row.line + '\n').join(''))
  }

  async generateModelfile () {
    const modelfile = await this.role.value(
      'select export_modelfile(p_system_prompt => $1, p_limit => 10, p_model_name => $2)', [SYSTEM_PROMPT, this.model])
    return this.write('Modelfile', modelfile)
  }

  getDatasetStats () {
    return this.role.value('select get_dataset_stats($1)', [this.model])
  }

  write (name, text) {
    fs.mkdirSync(this.directory, { recursive: true })
    const file = path.join(this.directory, name)
    fs.writeFileSync(file, text)
    return file
  }
}

module.exports = { TrainingDatasetGenerator }
