'use strict'

// The bot: finds the intent and answers from its catalogue.

const CATALOGUE = {
  calendar: { productId: 'agenda', productName: 'Agenda compartida' },
  email: { productId: 'correo', productName: 'Correo profesional' },
  hospitality: { productId: 'hotel', productName: 'Servicio al huésped' },
  restaurant: { productId: 'mesa', productName: 'Reserva de mesa' },
  todo: { productId: 'tareas', productName: 'Lista de tareas' },
  weather: { productId: 'tiempo', productName: 'Aviso del tiempo' }
}

class Bot {
  constructor (role, model) {
    this.role = role
    this.model = model
  }

  predict (message) {
    return this.role.row('select * from predict_intent($1, $2)', [message, this.model])
  }

  async answer (message) {
    const prediction = await this.predict(message)
    const product = CATALOGUE[(prediction.predicted_intent || '').split('.')[0]] || {}
    const reply = product.productName
      ? `Con ${product.productName} puede hacerlo ahora mismo.`
      : '¿Me cuenta un poco más de lo que busca?'
    return { prediction, reply, product }
  }
}

module.exports = { Bot }
